// A server of a config in the Go library's form: go run go_peer.go CONFIG ID
//
// It has the envelope and the sockets of a program on that library, and its SendMessage names no
// sender. A line "PID JSON" of its input sends that value, and each envelope that arrives is a line
// of its output.
package main

/*
#cgo LDFLAGS: -lzmq
#include <stdlib.h>
#include <zmq.h>
*/
import "C"

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"unsafe"
)

const broadcast = -1

type Envelope struct {
	Pid      int
	MsgId    int64
	Msg      interface{}
	MsgType  int
	SenderId int
	Term     int
	Voted    bool
}

type Config struct {
	Server []struct {
		Server_Id int
		Port_Num  int
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open(context unsafe.Pointer, kind C.int, port int, attach func(unsafe.Pointer, *C.char) C.int) unsafe.Pointer {
	socket := C.zmq_socket(context, kind)
	endpoint := C.CString(fmt.Sprintf("tcp://127.0.0.1:%d", port))
	defer C.free(unsafe.Pointer(endpoint))
	if attach(socket, endpoint) != 0 {
		log.Fatal("no socket at port ", port)
	}
	return socket
}

func receive(pull unsafe.Pointer) {
	buffer := make([]byte, 1<<20)
	for {
		bytes := C.zmq_recv(pull, unsafe.Pointer(&buffer[0]), C.size_t(len(buffer)), 0)
		if bytes < 0 {
			continue
		}
		var envelope Envelope
		check(json.Unmarshal(buffer[:bytes], &envelope))
		msg, err := json.Marshal(envelope.Msg)
		check(err)
		fmt.Printf("<- %d pid %d id %t type %d term %d voted %t: %T %s\n", envelope.SenderId,
			envelope.Pid, envelope.MsgId > 0, envelope.MsgType, envelope.Term, envelope.Voted,
			envelope.Msg, msg)
	}
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	id, err := strconv.Atoi(os.Args[2])
	check(err)
	var config Config
	check(json.Unmarshal(text, &config))

	context := C.zmq_ctx_new()
	peers := map[int]unsafe.Pointer{}
	for _, server := range config.Server {
		if server.Server_Id == id {
			pull := open(context, C.ZMQ_PULL, server.Port_Num,
				func(s unsafe.Pointer, e *C.char) C.int { return C.zmq_bind(s, e) })
			go receive(pull)
		} else {
			peers[server.Server_Id] = open(context, C.ZMQ_PUSH, server.Port_Num,
				func(s unsafe.Pointer, e *C.char) C.int { return C.zmq_connect(s, e) })
		}
	}

	fmt.Println("ready")
	input := bufio.NewScanner(os.Stdin)
	for sent := int64(1); input.Scan(); sent++ {
		words := strings.SplitN(input.Text(), " ", 2)
		pid, err := strconv.Atoi(words[0])
		check(err)
		envelope := Envelope{Pid: pid, MsgId: sent, MsgType: 2, Term: 7}
		check(json.Unmarshal([]byte(words[1]), &envelope.Msg))
		message, err := json.Marshal(envelope)
		check(err)
		for peer, push := range peers {
			if pid == broadcast || pid == peer {
				C.zmq_send(push, unsafe.Pointer(&message[0]), C.size_t(len(message)), 0)
			}
		}
	}
}
