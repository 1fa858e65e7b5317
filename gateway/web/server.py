"""The console's HTTP server: the standard library's, with bounds and a guard at the door.

Why not a framework: one page, a few JSON routes, one box, nothing public; what is needed beyond
:mod:`http.server` is below, and it costs no memory on a small board.

- Bounds: CONNECTIONS at a time (one more is told 503), SECONDS for a whole exchange however slowly it drips,
  LONGEST_BODY bytes; one request for each connection.
- Guard: another site in the operator's browser must not reach the box. ``Host`` must be the bound address (DNS
  rebinding); a POST must be JSON, carry ``X-Gateway: 1`` (no form can) and, if it has one, our own ``Origin``.
- There is no login yet, so only loopback may be bound.
- Logged are method, route and status, at DEBUG: never what a query or a body said.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from gateway import __version__
from gateway.errors import Fatal, GatewayError, Held, Misuse, Retry

log = logging.getLogger(__name__)

CONNECTIONS = 16
SECONDS = 15.0
LONGEST_BODY = 16 << 10
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATUS = {
    Misuse: HTTPStatus.BAD_REQUEST,
    Held: HTTPStatus.CONFLICT,
    Retry: HTTPStatus.SERVICE_UNAVAILABLE,
    Fatal: HTTPStatus.INTERNAL_SERVER_ERROR,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route answers with."""

    body: bytes
    kind: str = "application/json; charset=utf-8"


Route = Callable[[Any], Reply]  # gets a POST's JSON object; for a GET the rest of the path


class Refused(Exception):
    """The request does not get as far as a route."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


def as_json(value: Any) -> Reply:
    return Reply(json.dumps(value, ensure_ascii=False).encode() + b"\n")


def loopback(host: str) -> str:
    """The address to bind for the configured host. Raises Misuse for anything that others can reach."""
    try:
        found = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        found = None
    if found is None or not found.is_loopback:
        raise Misuse(
            f"the console may not listen on {host!r}: the page shows patients and there is no login yet",
            'set [console] host = "127.0.0.1"; from elsewhere use a tunnel: ssh -L 8104:127.0.0.1:8104 BOX',
        )
    return str(found)


class Server(socketserver.ThreadingTCPServer):
    """Serves ``routes`` ("GET /path", or "GET /folder/*" with any name in it) until :meth:`close`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = CONNECTIONS

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        seconds: float = SECONDS,
        inherited: socket.socket | None = None,
    ) -> None:
        """``inherited``: a socket that listens already; host and port are then its own."""
        address = loopback(inherited.getsockname()[0] if inherited is not None else host)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.routes = routes
        self.seconds = seconds
        self.on_turn: Callable[[], None] = lambda: None  # called a few times a second from the serving thread
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        try:
            super().__init__((address, port), Handler, bind_and_activate=inherited is None)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Fatal(
                    f"another process listens on {address}:{port} already",
                    "does another console run? Else choose another port under [console]",
                ) from error
            raise Retry(  # not Misuse: the address may come with the network, and systemd tries again
                f"the console cannot listen on {address}:{port} ({error.strerror})", "does this box have that address?"
            ) from error
        if inherited is not None:
            self.socket.close()
            self.socket, self.server_address = inherited, inherited.getsockname()
        self.port: int = self.server_address[1]
        names = {f"[{address}]" if ":" in address else address, "localhost"}
        self.hosts = {f"{name}:{self.port}" for name in names} | (names if self.port == 80 else set())
        self.origins = {f"http://{host}" for host in self.hosts}

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.1,), name="console", daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            log.warning("the console has %d connections open and turns one away", CONNECTIONS)
            with contextlib.suppress(OSError):
                request.sendall(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)
            return
        with self._lock:
            self._deadlines[request] = time.monotonic() + self.seconds
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._deadlines.pop(request, None)
            self._room.release()

    def service_actions(self) -> None:
        """Called a few times a second: ends exchanges that are over their time, however slowly they drip."""
        self.on_turn()
        now = time.monotonic()
        with self._lock:
            for request, deadline in self._deadlines.items():
                if now > deadline:
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log.debug("a client of the console went away", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    """One exchange: guard, route, answer."""

    server: Server
    server_version = f"gateway/{__version__}"
    sys_version = ""

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        try:
            self._guard()
            route, rest = self._route()
            given = self._object() if self.command == "POST" else rest
        except Refused as refused:
            self._fail(refused.status, str(refused))
            return
        try:
            reply = route(given)
        except GatewayError as error:
            status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), _STATUS[Fatal])
            self._fail(status, error.message, error.fix, error.exit_code)
        except Exception as error:  # one bad page must not end the process
            log.error("the console failed on %s: %s; -v shows where", self._logged_path(), type(error).__name__)
            log.debug("the trace of it", exc_info=True)
            self._fail(HTTPStatus.INTERNAL_SERVER_ERROR, "the console failed here", "gateway -v console shows where", 1)
        else:
            self._send(HTTPStatus.OK, reply)

    def _guard(self) -> None:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "this is not the name of this console")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in self.server.origins:
            raise Refused(HTTPStatus.FORBIDDEN, "another site may not use this console")
        if self.command == "POST":
            if self.headers.get("X-Gateway") != "1":
                raise Refused(HTTPStatus.FORBIDDEN, "send the header X-Gateway: 1")
            if self.headers.get_content_type() != "application/json":
                raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send a JSON object as application/json")

    def _route(self) -> tuple[Route, str]:
        path = self.path.split("?", 1)[0]
        folder, _, rest = path.rpartition("/")
        if (route := self.server.routes.get(f"{self.command} {path}")) is not None:
            return route, ""
        if rest and (route := self.server.routes.get(f"{self.command} {folder}/*")) is not None:
            return route, rest
        if any(known.split(" ", 1)[1] == path for known in self.server.routes):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{self.command} is not for {path}")
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _object(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "say Content-Length")
        if int(length) > LONGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LONGEST_BODY} bytes")
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        return found

    def _fail(self, status: HTTPStatus, words: str, fix: str = "", exit_code: int = 2) -> None:
        self._send(status, as_json({"error": words, "fix": fix, "exit_code": exit_code}))

    def _send(self, status: HTTPStatus, reply: Reply) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the library refuses by itself (no HTTP, too many headers), answered as ours are."""
        self.close_connection = True
        self._fail(HTTPStatus(code), HTTPStatus(code).phrase)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        status = code.value if isinstance(code, HTTPStatus) else code
        log.debug("%s %s: %s", self.command, self._logged_path(), status)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The library's own lines quote the request: they are not wanted."""

    def _logged_path(self) -> str:
        path = getattr(self, "path", "").split("?", 1)[0]
        return path if any(key.split(" ", 1)[1] == path for key in self.server.routes) else "(another path)"
