"""A real browser, told what to do over its debugging pipe (Chrome DevTools Protocol): no driver, no library.

``open`` gives a page that has loaded: what it asked for, what it complained of, what a person would see.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import need

_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"),
)
# It reads descriptor 3 and writes descriptor 4: put ours there, out of each other's way, and become the browser.
_HAND_OVER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, end in enumerate(ends, 3):
    os.dup2(end, number, inheritable=True)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._call(method, self._session, **parameters)

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        """Load ``url`` and wait until everything on it is there."""
        self.events = []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self._take()

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, evaluated beside the page (which has no script of its own)."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def asked_for(self) -> list[str]:
        """Every address that the page wanted something from."""
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]

    def complaints(self) -> list[str]:
        """What the browser says of the page: blocked scripts, missing files, errors."""
        return [e["params"]["entry"]["text"] for e in self.events if e["method"] == "Log.entryAdded"]

    def picture(self, keep: Path | None = None, scale: float = 1.0) -> NDArray[np.uint8]:
        """The whole page as a person sees it, shape (rows, columns, 3)."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": scale}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        data = base64.b64decode(shot["data"])
        if keep is not None:
            keep.write_bytes(data)
        return read_png(data)[:, :, :3]

    def _call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._take()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def _take(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            block = os.read(self._read, 1 << 20)
            assert block, "the browser ended"
            self._buffer += block
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a fresh profile below ``folder``."""
    program = need("chromium")
    to_it, from_us = os.pipe()
    to_us, from_it = os.pipe()

    command = [program, *_QUIET, f"--user-data-dir={folder / 'profile'}"]
    start = [sys.executable, "-c", _HAND_OVER, str(to_it), str(from_it), *command]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(start, stdout=log, stderr=log, pass_fds=(to_it, from_it))
    os.close(to_it)
    os.close(from_it)
    try:
        yield Browser(from_us, to_us)
    finally:
        os.close(from_us)
        os.close(to_us)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_png(data: bytes) -> NDArray[np.uint8]:
    """An 8-bit PNG of grey, RGB or RGBA, shape (rows, columns, samples)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, header = 8, b"", b""
    while at < len(data):
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + length)[0]
        header, packed = (body if kind == b"IHDR" else header), (packed + body if kind == b"IDAT" else packed)
        at += 12 + length
    columns, rows, depth, colour = struct.unpack_from(">IIBB", header)
    assert depth == 8
    samples = {0: 1, 2: 3, 6: 4}[colour]
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(rows, columns * samples + 1)
    found = np.zeros((rows + 1, columns * samples), np.uint8)
    for row in range(rows):
        found[row + 1] = _unfiltered(int(lines[row, 0]), lines[row, 1:], found[row], samples)
    return found[1:].reshape(rows, columns, samples)


def _unfiltered(kind: int, line: NDArray[np.uint8], above: NDArray[np.uint8], samples: int) -> NDArray[np.uint8]:
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    out = [int(v) for v in line]
    up = [int(v) for v in above]
    for n in range(len(out)):
        left = out[n - samples] if n >= samples else 0
        corner = up[n - samples] if n >= samples else 0
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up[n]) // 2
        else:
            p = left + up[n] - corner
            guess = min((left, up[n], corner), key=lambda v: abs(p - v))
        out[n] = (out[n] + guess) & 0xFF
    return np.array(out, np.uint8)
