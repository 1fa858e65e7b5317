"""What a medium costs a process of its own, which never loads pydicom: whole time and peak memory are measured outside.

``python -m tests.bench.one_medium add ROOT FILE...`` | ``build ROOT`` | ``name ROOT`` (build, but read headers only)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.transfer import media, part10
from gateway.transfer.media import hashes

FILE_SET = "BENCH"


def _not_hashed(descriptor: int, beat: Callable[[], None] = lambda: None) -> tuple[str, bytes]:
    beat()
    return "0" * 64, os.read(descriptor, 64 << 10)


def main(what: str, root: Path, files: list[str]) -> None:
    if what == "add":
        for file in files:
            media.add(root, part10.instance(Path(file)), FILE_SET)
        return
    if what == "name":
        hashes.of_open = _not_hashed  # what dcmmkdir does: it reads no file to its end
    media.repair(root, FILE_SET)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    assert not {"pydicom", "numpy", "sqlite3"} & set(sys.modules)
