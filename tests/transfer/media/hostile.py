"""Media made to hang or harm whoever reads them, and a process with little memory that reads them all the same.

``python hostile.py ROOT SPOOL VERB...``: operations on ROOT, in at most so much more memory than it began with; prints
what each said, and how many bytes it read.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
MEMORY = 320 * MIB  # beside what Python has mapped when it begins


@dataclass(frozen=True)
class Said:
    """How an operation ended: "fine", the name of a GatewayError, or "CRASH"; and in which words."""

    how: str
    words: str
    read: int  # bytes


def attempt(verbs: Sequence[str], root: Path, spool: Path) -> dict[str, Said]:
    """In a process of its own, with a bound on its memory. Whatever is no answer is a crash."""
    if not verbs:
        return {}
    command = [sys.executable, str(Path(__file__)), str(root), str(spool), *verbs]
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    environment = dict(os.environ) | {"PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=environment)
    if done.returncode or not done.stdout:
        return dict.fromkeys(verbs, Said("CRASH", f"{done.returncode}: {done.stderr[-2000:]}", 0))
    return {verb: Said(**said) for verb, said in json.loads(done.stdout).items()}


def _operations(root: Path, spool: Path) -> dict[str, Callable[[], object]]:
    from transfer.media.samples import data_set, write  # noqa: PLC0415

    from gateway.transfer import media  # noqa: PLC0415
    from gateway.transfer.media import reading  # noqa: PLC0415

    def add() -> object:
        spool.mkdir(exist_ok=True)
        return media.add(root, write(spool, data_set(PatientID="NEW")), "WARD")

    return {
        "add": add,
        "verify": lambda: media.verify(root),
        "status": lambda: media.status(root),
        "repair": lambda: media.repair(root),
        "import": lambda: str(reading.read(root, spool / "no register"))[:2000],
    }


def main(root: str, spool: str, *verbs: str) -> None:
    from gateway.errors import GatewayError, Held, Retry  # noqa: PLC0415

    acts, said, counted = _operations(Path(root), Path(spool)), {}, Counted()
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    for verb in verbs:
        before = counted.read
        try:
            words, how = str(acts[verb]()), "fine"
        except GatewayError as error:
            kind = next((k for k in (Held, Retry) if isinstance(error, k)), type(error))
            words, how = str(error), kind.__name__
        said[verb] = {"how": how, "words": words[:4000], "read": counted.read - before}
    print(json.dumps(said))


class Counted:
    """What is read, counted where the system is asked."""

    def __init__(self) -> None:
        self.read = 0
        pread, read = os.pread, os.read

        def counting_pread(descriptor: int, count: int, at: int) -> bytes:
            data = pread(descriptor, count, at)
            self.read += len(data)
            return data

        def counting_read(descriptor: int, count: int) -> bytes:
            data = read(descriptor, count)
            self.read += len(data)
            return data

        os.pread, os.read = counting_pread, counting_read


if __name__ == "__main__":
    main(*sys.argv[1:])
