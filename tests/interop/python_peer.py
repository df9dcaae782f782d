#!/usr/bin/python3
"""Server 2 of configs/best_effort_json.json, in Python: greets server 1, then answers it.

    bazel run //cluster:node -- 1 --config=configs/best_effort_json.json
    /usr/bin/python3 tests/interop/python_peer.py 127.0.0.1:10302 127.0.0.1:10301
"""

import sys

import zmq

own_address, node_address = sys.argv[1:]
context = zmq.Context()
inbound = context.socket(zmq.PULL)
inbound.bind("tcp://" + own_address)
outbound = context.socket(zmq.PUSH)
outbound.connect("tcp://" + node_address)

print("server 2 at", inbound.LAST_ENDPOINT.decode().replace("tcp://", ""), flush=True)
outbound.send_json({"SenderId": 2, "Pid": 1, "MsgType": 2, "Term": 7, "Payload": "hello"})
while True:
    envelope = inbound.recv_json()
    print(envelope, flush=True)
    outbound.send_json({"SenderId": 2, "Pid": envelope["SenderId"], "MsgType": 3,
                        "Term": envelope["Term"], "Voted": True,
                        "Payload": "I got: " + envelope["Payload"]})
