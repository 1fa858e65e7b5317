"""Media are written and checked by a process that stays small: what is large is never loaded there."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from transfer.media.samples import SECONDARY_CAPTURE, TWELVE_LEAD, Make

LARGE = ("pydicom", "pynetdicom", "numpy", "sqlite3", "gateway.dicom", "gateway.spool", "gateway.forward")
PROGRAM = """
import json, pathlib, sys
from gateway.model import InstanceRef
from gateway.transfer import media
root, instances = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
for one in instances:
    media.add(root, InstanceRef(**one), "WARD")
media.repair(root)
media.add(root, InstanceRef(**instances[0]), "WARD")
assert media.verify(root).sound
print(media.status(root), file=sys.stderr)
print(*(name for name in sys.argv[3:] if name in sys.modules))
"""


def test_adding_rebuilding_and_checking_load_neither_pydicom_nor_numpy_nor_a_database(make: Make, stick: Path) -> None:
    instances = json.dumps([dataclasses.asdict(make(kind)) for kind in (TWELVE_LEAD, SECONDARY_CAPTURE)])
    command = [sys.executable, "-c", PROGRAM, str(stick), instances, *LARGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
    assert "2 instances of 1 patients" in done.stderr
