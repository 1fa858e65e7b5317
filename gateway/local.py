"""The local socket: how the processes of one box ask each other. One JSON request line, one JSON answer line.

The socket lies in the runtime folder (0700) and is 0600: whoever may open it is the gateway's own user. An
answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": ..., "fix": ..., "exit_code": ...}``.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.errors import Fatal, GatewayError, Held, Misuse, Retry, in_words

log = logging.getLogger(__name__)
Request = dict[str, Any]
Answer = dict[str, Any]
LONGEST_LINE = 8 << 20  # bytes
_BY_EXIT_CODE = {kind.exit_code: kind for kind in (Misuse, Retry, Held, Fatal)}


class _NobodyThere(Retry):
    """No process has the socket open."""


class Server:
    """Answers requests in threads of its own until :meth:`close`.

    ``handlers`` maps the request's ``do`` to a function of the request; a GatewayError becomes a polite answer,
    any other exception is a defect: logged, and answered as an error all the same.
    """

    def __init__(self, path: Path, handlers: dict[str, Callable[[Request], Answer]]) -> None:
        if is_served(path):
            raise Fatal(f"another process serves {path}", "stop it first, or configure another runtime folder")
        fsops.make_folder(path.parent)
        fsops.unlink(path)
        old = os.umask(0o177)
        try:
            self._server = _UnixServer(str(path), _Handler)
        finally:
            os.umask(old)
        self._server.handlers = handlers
        self.path = path
        self._thread = threading.Thread(target=self._server.serve_forever, name="local", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        fsops.unlink(self.path)


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    handlers: dict[str, Callable[[Request], Answer]]


class _Handler(socketserver.StreamRequestHandler):
    timeout = 30

    def handle(self) -> None:
        try:
            line = self.rfile.readline(LONGEST_LINE)
            if line:
                self.wfile.write(self._answer(line) + b"\n")
        except (OSError, TimeoutError) as error:
            log.debug("a local client went away: %s", error)

    def _answer(self, line: bytes) -> bytes:
        try:
            return json.dumps(self._decide(line)).encode()
        except Exception as error:
            log.exception("a request on the local socket met a defect of this program")
            words = f"this program failed ({type(error).__name__}: {error})"
            told = {"ok": False, "error": words, "fix": "its log says where; report it", "exit_code": Fatal.exit_code}
            return json.dumps(told).encode()

    def _decide(self, line: bytes) -> Answer:
        assert isinstance(self.server, _UnixServer)
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise Misuse("a request is a JSON object")
            if request.get("do") == "ping":
                return {"ok": True}
            handler = self.server.handlers.get(str(request.get("do")))
            if handler is None:
                raise Misuse(f"unknown request {request.get('do')!r}")
            return {"ok": True} | handler(request)
        except GatewayError as error:
            return {"ok": False, "error": error.message, "fix": error.fix, "exit_code": error.exit_code}
        except OSError as error:  # of the disk, above all
            log.error("a request on the local socket failed: %s", in_words(error))
            what, _, fix = in_words(error).partition("; ")
            return {"ok": False, "error": what, "fix": fix, "exit_code": Fatal.exit_code}
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "error": f"bad request: {error}", "fix": "", "exit_code": Misuse.exit_code}


def ask(path: Path, request: Request, timeout: float = 10.0) -> Answer:
    """The answer of the process behind ``path``; its refusal is raised as the error it was there.

    Raises Retry if nobody is there or no answer comes within ``timeout`` seconds.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            try:
                connection.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise _NobodyThere(f"no process serves {path}", "is its service running?") from error
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(LONGEST_LINE)
    except (OSError, TimeoutError) as error:
        raise Retry(f"the process behind {path} does not answer ({error})", "is its service running?") from error
    if not line:
        raise Retry(f"the process behind {path} went away in mid-answer")
    answer: Answer = json.loads(line)
    if not answer.pop("ok", False):
        kind = _BY_EXIT_CODE.get(answer.get("exit_code", 1), Fatal)
        raise kind(str(answer.get("error")), str(answer.get("fix", "")))
    return answer


def ask_if_there(path: Path, request: Request, timeout: float = 10.0) -> Answer | None:
    """Like :func:`ask`, but None when nobody serves ``path``. One that is there and does not answer raises Retry."""
    try:
        return ask(path, request, timeout)
    except _NobodyThere:
        return None


def is_served(path: Path, timeout: float = 1.0) -> bool:
    """Whether a process has ``path`` open, though it may be too busy to answer."""
    try:
        return ask_if_there(path, {"do": "ping"}, timeout) is not None
    except GatewayError:
        return True
