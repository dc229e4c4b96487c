"""The stand-in on a socket: one thread for each connection, kept alive between requests (HTTP/1.1).

werkzeug's own server closes every connection after one answer, because it cannot find the end of a body that
nobody read. The application here reads to that end, or says `Connection: close`; so `_Connection` replaces
that one step. Raises OSError where the address cannot be listened on: the fault of whoever chose it.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from invoice_watcher.escaping import escape
from invoice_watcher.sandbox.app import LOG, Application, Unanswered
from invoice_watcher.sandbox.state import Mode, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BACKLOG = 128
# How often the serving thread looks whether it should stop.
_POLL_SECONDS = 0.05
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - shown, not listened on


@contextmanager
def serving(host: str, port: int, *, api_code: str | None, mode: Mode) -> Iterator[Sandbox]:
    """Serve until the context is left; every connection is closed and every thread ended then.

    Args:
        host: the name or address to listen on.
        port: 0 takes one that is free.
        api_code: the only GUID to accept; None accepts each.
        mode: how requests are treated at first.

    Raises:
        OSError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listening:
        sandbox = Sandbox(_origin(host, listening), api_code=api_code, mode=mode)
        server = _Server(host, listening, sandbox)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="sandbox")
    thread.start()
    try:
        yield sandbox
    finally:
        server.stop()
        thread.join()


def _origin(host: str, listening: socket.socket) -> str:
    shown = _WILDCARDS.get(host, host)
    port = listening.getsockname()[1]
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


class _Server(ThreadedWSGIServer):
    """Knows its open connections, so that stopping need not wait until idle clients go away."""

    # Threads that are not daemons are waited for at the end.
    daemon_threads = False

    def __init__(self, host: str, listening: socket.socket, sandbox: Sandbox) -> None:
        # Given a socket, werkzeug copies it; left to listen itself, it ends the process where it cannot.
        super().__init__(host, 0, Application(sandbox), _Connection, fd=listening.fileno())
        self._sandbox = sandbox
        self._guard = threading.Lock()
        self._connections: set[socket.socket] = set()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]  # a TCP server has no datagrams
        """Start a thread for a new connection."""
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]  # likewise
        """Close a connection."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Accept no more, and end every connection; the thread that serves then ends by itself."""
        self._sandbox.stopping.set()
        self.shutdown()
        with self._guard:
            connections = tuple(self._connections)
        for connection in connections:
            # One that its own thread has closed by now has nothing left to shut down.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(WSGIRequestHandler):
    """One connection of a client, over all its requests."""

    protocol_version = "HTTP/1.1"
    # TCP_NODELAY: an answer is two small writes; the second must not wait until the first is acknowledged.
    disable_nagle_algorithm = True
    # Seconds for which a client may stay silent.
    timeout = 60
    server_version = "invoice-watcher-sandbox"
    sys_version = ""

    def run_wsgi(self) -> None:
        """Answer one request, or close the connection."""
        try:
            body, status, headers = run_wsgi_app(self.server.app, self.make_environ())
        except Unanswered:
            self.close_connection = True
            return
        except OSError:
            LOG.info("a request broke off")
            self.close_connection = True
            return
        self._transmit(body, int(status.split()[0]), list(headers))

    def _transmit(self, body: Iterable[bytes], status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"".join(body))

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug calls it so
        """Log what http.server finds wrong with a request line; the application logs everything else."""
        if type == "error":
            LOG.info("%s", escape(message % args))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the access log to the application, which knows more."""
