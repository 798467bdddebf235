"""A TLS front for a plain server: what a load balancer does, for tests of verified connections."""

import contextlib
import socket
import ssl
import threading


class TlsFront:
    """Listens on 127.0.0.1 with `context` and passes all bytes on to `target_port`."""

    def __init__(self, context: ssl.SSLContext, target_port: int) -> None:
        self._context = context
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for each in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in [self._listener, *self._sockets]:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self._sockets.append(plain)
                with contextlib.suppress(ssl.SSLError, OSError):
                    self._join(self._context.wrap_socket(plain, server_side=True))

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._target_port))
        self._sockets += [client, server]
        for source, sink in ((client, server), (server, client)):
            thread = threading.Thread(target=self._copy, args=(source, sink), daemon=True)
            self._threads.append(thread)
            thread.start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
