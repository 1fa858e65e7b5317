"""What it costs to start: the command, one verb, and what they import, each as a whole process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measuring import Row, alternate, program, run, times_and_peaks

ROUNDS = 7
CONFIGURATION = '[gateway]\ndata = "{0}/data"\nruntime = "{0}/run"\n[[device]]\nname = "ecg1"\nadapter = "simulated"\n'
_CHECK = "from pathlib import Path; from gateway import configuration; configuration.load(Path({0!r}))"


def rows(work: Path) -> Iterator[Row]:
    config = work / "gateway.toml"
    config.write_text(CONFIGURATION.format(work))
    python = [sys.executable]
    gateway = [*python, "-m", "gateway"]
    measured = (
        ("gateway --help", [*gateway, "--help"], "dcmsend", ["dcmsend", "--help"]),
        ("gateway send --help", [*gateway, "send", "--help"], "dcmsend", ["dcmsend", "--help"]),
        ("import gateway.verbs.send", [*python, "-c", "import gateway.verbs.send"], "python -c pass", None),
        ("import gateway.transfer.media", [*python, "-c", "import gateway.transfer.media"], "python -c pass", None),
        ("read a configuration with a device", [*python, "-c", _CHECK.format(str(config))], "python -c pass", None),
        ("import gateway.capture", [*python, "-c", "import gateway.capture"], "import pydicom", "pydicom"),
        ("import gateway.console", [*python, "-c", "import gateway.console"], "import pydicom", "pydicom"),
        ("import gateway.forward", [*python, "-c", "import gateway.forward"], "import pynetdicom", "pynetdicom"),
    )
    for what, ours, name, other in measured:
        command = other if isinstance(other, list) else [*python, "-c", f"import {other}" if other else "pass"]
        works = {"ours": lambda c=ours: run(c), name: lambda c=command: run(c)}
        if program(command[0]) is None:
            del works[name]
        yield from times_and_peaks(what, alternate(works, ROUNDS), (name,), peaks=True)
