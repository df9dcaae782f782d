"""A TCP proxy that cuts connections in the middle of what they carry."""

import socket
import threading


class CuttingProxy:
    """Connects clients of `address` to a target, and cuts what flows.

    `cuts` has the bytes that flow, on all connections together, before each cut.
    """

    def __init__(self, cuts=()):
        self.cuts = list(cuts)
        self._target = None
        self._mutex = threading.Lock()  # of `cuts`
        self._sockets = []
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._start(self._accept)

    def point(self, address):
        """New connections go there; without a target they are closed."""
        host, port = address.rsplit(":", 1)
        self._target = (host, int(port))

    def close(self):
        _cut(self._listener)
        self._threads[0].join()  # so no more connections come
        for each in self._sockets:
            _cut(each)
        for thread in self._threads:
            thread.join()
        for each in [self._listener] + self._sockets:
            each.close()

    def _start(self, function, *arguments):
        self._threads.append(threading.Thread(target=function, args=arguments))
        self._threads[-1].start()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except (OSError, TypeError):
                client.close()
                continue
            self._sockets += [client, server]
            self._start(self._pump, client, server)
            self._start(self._pump, server, client)

    def _pump(self, source, sink):
        try:
            while data := source.recv(16 << 10):
                passed = self._before_cut(data)
                sink.sendall(passed)
                if len(passed) < len(data):
                    break
        except OSError:
            pass  # the other pump has cut it
        _cut(source)
        _cut(sink)

    def _before_cut(self, data):
        with self._mutex:
            if self.cuts and self.cuts[0] < len(data):
                return data[:self.cuts.pop(0)]
            if self.cuts:
                self.cuts[0] -= len(data)
            return data


def _cut(each):
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is not connected any more
