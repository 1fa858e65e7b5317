"""What is written to the sticks: small valid instances of a few patients, on a disk where the machine finds them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import generate_uid

from tests.transfer.media.samples import BASIC_TEXT, GENERAL, GENERAL_32, PDF, TWELVE_LEAD, data_set, write
from tests.vm import disk

ADDER = Path(__file__).with_name("adder.py")
CLASSES = (TWELVE_LEAD, TWELVE_LEAD, GENERAL, GENERAL_32, PDF, PDF, BASIC_TEXT)
LARGEST = 300_000  # bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """One instance: ``name`` of its file on the spool disk."""

    name: str
    sop_class_uid: str
    uid: str
    syntax: str
    size: int
    sha256: str


def make(folder: Path, count: int, seed: int) -> list[Piece]:
    """Write ``count`` instances, a manifest and the adder into ``folder``."""
    dice = random.Random(f"pool {seed}")
    folder.mkdir(parents=True)
    studies = [(f"P{dice.randrange(5)}", generate_uid(), [generate_uid() for _ in range(3)]) for _ in range(8)]
    found = []
    for number in range(count):
        patient, study, series = dice.choice(studies)
        which = dice.randrange(len(series))
        values: dict[str, object] = {
            "PatientID": patient,
            "StudyInstanceUID": study,
            "SeriesInstanceUID": series[which],
            "SeriesNumber": which,
            "InstanceNumber": number,
            "StudyDescription": "x" * dice.randrange(40),
        }
        kind = dice.choice(CLASSES)
        if kind == PDF:
            values["EncapsulatedDocument"] = dice.randbytes(int(LARGEST ** dice.uniform(0.5, 1.0)) & ~1)
        ref = write(folder, data_set(kind, **values))
        path = Path(ref.path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        identity = (ref.sop_class_uid, ref.sop_instance_uid, ref.transfer_syntax_uid)
        found.append(Piece(path.name, *identity, ref.size, digest))
    (folder / "manifest.json").write_text(json.dumps([dataclasses.asdict(piece) for piece in found]))
    shutil.copy(ADDER, folder)
    return found


def image(folder: Path, place: Path) -> Path:
    """The disk of it."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    return disk.ext4(folder, place, f"{16 + 2 * (size >> 20)}M")
