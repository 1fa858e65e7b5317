"""One clip kept in a process of its own, from a source that gives frames as fast as they are taken.

``python -m tests.bench.one_keeping FRAME COLUMNS ROWS COUNT FOLDER``. COUNT 0: only what comes before and after.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from gateway import configuration
from gateway.acquire import lines
from gateway.acquire.attend import attend
from gateway.events import Frame, Started
from gateway.model import Equipment, Picture

CONFIGURATION = """
[gateway]
data = "{folder}"
runtime = "{folder}/run"
[clock]
trust = "always"
[spool]
reserve = 0
[[device]]
name = "cam"
adapter = "v4l2"
port = "/dev/none"
takes = "clip"
expected = 0.001
"""


class Source:
    """Holds each frame back until the one before is taken: nothing is dropped, nothing waits."""

    def __init__(self, frame: bytes, picture: Picture) -> None:
        self.frame, self.picture, self.left = frame, picture, 0
        self.line: object = None

    def open(self) -> Started:
        return Started(Equipment("bench", "bench"), (), self.picture)

    def read(self, timeout: float) -> list[Frame]:
        if not self.left or self.line._waiting > len(self.frame):  # type: ignore[attr-defined]
            time.sleep(0.0002 if self.left else timeout)
            return []
        self.left -= 1
        return [Frame(bytes(bytearray(self.frame)), time.monotonic(), "YUYV")]  # copied, as out of a buffer

    def close(self) -> None:
        """Nothing to close."""


def main(frame: Path, columns: int, rows: int, count: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    source = Source(frame.read_bytes(), Picture("YUYV", columns, rows, 30.0))
    lines.VideoDevice = lambda *given: source  # type: ignore[assignment,misc]
    attendant = attend(configuration.parse(CONFIGURATION.format(folder=folder)), "cam", lambda: None)
    source.line = attendant._line
    attendant.turn()
    attendant.start(None)
    source.left = count
    while attendant.recorder.end is None or attendant.recorder.end.frames < count:
        attendant.turn()
    attendant.close("enough")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
