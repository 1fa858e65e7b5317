"""A DICOMweb archive for the tests, on raw sockets, so that it can misbehave at every byte: PS3.18 10 and 13.

Well-behaved by itself: it keeps what is stored, finds it, gives it back and commits to it. A test gives
:meth:`Archive.behave` a script that plays whole connections instead.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom import dcmread

JSON = "application/dicom+json"


@dataclass(frozen=True)
class Head:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case


class Line:
    """The archive's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rb")

    def head(self) -> Head | None:
        """The next request's, or None at the end of the connection."""
        first = self.stream.readline().decode("ascii").split()
        if not first:
            return None
        headers = {}
        while name := self.stream.readline().decode("ascii").strip():
            key, _, value = name.partition(":")
            headers[key.lower()] = value.strip()
        return Head(first[0], first[1], headers)

    def body(self, head: Head) -> bytes:
        length = int(head.headers.get("content-length", 0))
        found = self.stream.read(length)
        if len(found) != length:
            raise ConnectionError("the request was cut short")
        return found

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reset(self) -> None:
        """Drop the connection the hard way."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()
        self.connection.close()


Script = Callable[["Archive", Line], None]


def answer(status: int, body: bytes | str = b"", media_type: str = JSON, further: str = "") -> bytes:
    """A whole answer; ``further`` header lines end with CR LF."""
    data = body.encode() if isinstance(body, str) else body
    kind = f"Content-Type: {media_type}\r\n" if media_type else ""
    return f"HTTP/1.1 {status} Words\r\n{kind}{further}Content-Length: {len(data)}\r\n\r\n".encode() + data


def dataset(**sequences: list[tuple[str, int | None]]) -> dict[str, Any]:
    """``stored``, ``failed`` and ``other``: (SOP Instance UID, reason) as the JSON of a store or commitment answer."""
    found: dict[str, Any] = {}
    for name, tag, reason_tag in (
        ("stored", "00081199", "00081196"),
        ("failed", "00081198", "00081197"),
        ("other", "0008119A", "00081197"),
    ):
        if name in sequences:
            found[tag] = {"vr": "SQ", "Value": [_item(u, reason_tag, r) for u, r in sequences[name]]}
    return found


def _item(uid: str, reason_tag: str, reason: int | None) -> dict[str, Any]:
    item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}} if uid else {}
    return item | ({reason_tag: {"vr": "US", "Value": [reason]}} if reason is not None else {})


@dataclass
class Archive:
    """``held`` is what it has, by SOP Instance UID; ``stores`` every instance in every store, in order."""

    port: int = 0
    held: dict[str, bytes] = field(default_factory=dict)
    stores: list[str] = field(default_factory=list)
    requests: list[Head] = field(default_factory=list)
    connections: int = 0
    behaviour: Script | None = None
    token: str = ""
    transactions: dict[str, dict[str, Any]] = field(default_factory=dict)
    open_now: list[socket.socket] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    still_working: int = 0  # so many looks after a commitment request find it unfinished

    def behave(self, script: Script | None = None) -> None:
        """Begin anew, as after a restart: well, or by ``script``."""
        self.behaviour = script
        for connection in self.open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def play(self, line: Line) -> None:
        self.connections += 1
        if self.behaviour is not None:
            self.behaviour(self, line)
        else:
            self.serve(line)

    def serve(self, line: Line, once: bool = False) -> None:
        """Behave."""
        while (head := line.head()) is not None:
            line.say(self.answer(head, line.body(head)))
            if once:
                return

    def answer(self, head: Head, body: bytes) -> bytes:
        self.requests.append(head)
        if self.token and head.headers.get("authorization") != f"Bearer {self.token}":
            return answer(401)
        path, _, query = head.path.partition("?")
        if head.method == "POST" and path == "/web/studies":
            uids = self.keep(parts(head, body))
            return answer(200, json.dumps(dataset(stored=[(u, None) for u in uids])))
        if path.startswith("/web/commitment-requests/"):
            return self._commit(head.method, path.rpartition("/")[2], body)
        if path in ("/web/instances", "/web/studies"):
            wanted = re.search(r"SOPInstanceUID=([0-9.]+)", query)
            found = [self.metadata(u) for u in self.held if wanted is None or u == wanted[1]]
            return answer(200, json.dumps(found))
        if (uid := re.fullmatch(r".*/instances/([0-9.]+)(/metadata)?", path)) and uid[1] in self.held:
            if uid[2]:
                return answer(200, json.dumps([self.metadata(uid[1])]))
            whole = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + self.held[uid[1]] + b"\r\n--b--\r\n"
            return answer(200, whole, 'multipart/related; type="application/dicom"; boundary=b')
        return answer(404)

    def keep(self, files: list[bytes]) -> list[str]:
        uids = [str(dcmread(io.BytesIO(f), stop_before_pixels=True).SOPInstanceUID) for f in files]
        self.held |= dict(zip(uids, files, strict=True))
        self.stores += uids
        return uids

    def metadata(self, uid: str) -> dict[str, Any]:
        ds = dcmread(io.BytesIO(self.held[uid]))
        names = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
        return {f"{ds[n].tag:08X}": {"vr": "UI", "Value": [str(ds[n].value)]} for n in names}

    def _commit(self, method: str, transaction: str, body: bytes) -> bytes:
        if method == "POST":
            asked = [i["00081155"]["Value"][0] for i in json.loads(body)["00081199"]["Value"]]
            self.transactions[transaction] = dataset(
                stored=[(u, None) for u in asked if u in self.held],
                failed=[(u, 0x0112) for u in asked if u not in self.held],
            )
        elif transaction not in self.transactions:
            return answer(404)
        else:
            self.still_working -= 1
        if self.still_working > 0:
            return answer(202, media_type="")
        return answer(200, json.dumps(self.transactions[transaction]))


def parts(head: Head, body: bytes) -> list[bytes]:
    """The files in a store's body; AssertionError if it is not as PS3.18 8.6.1.2 wants it."""
    found = re.fullmatch(
        r'multipart/related; type="application/dicom"; boundary=([0-9a-f]{48})', head.headers["content-type"]
    )
    assert found is not None, head.headers["content-type"]
    marker = b"--" + found[1].encode()
    assert body.startswith(marker + b"\r\n") and body.endswith(b"\r\n" + marker + b"--\r\n")
    inner = body[len(marker) + 2 : -len(marker) - 6]
    files = []
    for part in inner.split(b"\r\n" + marker + b"\r\n"):
        header, _, data = part.partition(b"\r\n\r\n")
        assert header == b"Content-Type: application/dicom"
        files.append(data)
    return files


@contextlib.contextmanager
def archive(context: ssl.SSLContext | None = None) -> Iterator[Archive]:
    """An archive on 127.0.0.1. Errors of its scripts show, but those of a line that somebody hung up."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    there = Archive(server.getsockname()[1])
    ended, failures = there.ended, list[BaseException]()
    threads: list[threading.Thread] = []

    def play(connection: socket.socket) -> None:
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
                there.open_now.append(connection)
            there.play(Line(connection))
        except OSError:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            with contextlib.suppress(OSError):
                connection.close()

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                connection.settimeout(20)
                there.open_now.append(connection)
                threads.append(threading.Thread(target=play, args=(connection,), daemon=True))
                threads[-1].start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        ended.set()
        thread.join()
        server.close()
        there.behave()
        for each in threads:
            each.join(5)
    if failures:
        raise failures[0]
