"""Files of a large file-set, made fast: one ECG, and copies of it that differ in what identifies them.

Ten instances a patient, one study each, of two series of five: PAnnnnnn/STnnnnnn/SEnnnnnn/INnnnnnn as the gateway names
them. ``SAMPLES`` of 12 channels make 16 kB a file, so that the cost of the directory is seen, not that of copying.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from ecg_files import write_ecg
from pydicom import dcmread

SAMPLES = 500
A_PATIENT, A_SERIES = 10, 5  # instances
_MARKS = {"PatientID": b"PAT-000000000", "StudyInstanceUID": b"2.25.1000000000"}
_MARKS |= {"SeriesInstanceUID": b"2.25.2000000000", "SOPInstanceUID": b"2.25.3000000000"}
_DIGITS = 9


class Files:
    """Instance by instance, each number once."""

    def __init__(self, work: Path) -> None:
        ds = dcmread(write_ecg(work / "template", SAMPLES).path)
        for keyword, mark in _MARKS.items():
            setattr(ds, keyword, mark.decode())
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        path = work / "template" / "marked.dcm"
        ds.save_as(path, enforce_file_format=True)
        self._template = path.read_bytes()
        self._new = itertools.count(500_000_000, A_PATIENT)

    def data(self, number: int) -> bytes:
        """The bytes of the instance with this number, counted from 0."""
        patient, series = number // A_PATIENT, number // A_SERIES
        data = self._template
        for mark, value in zip(_MARKS.values(), (patient, patient, series, number), strict=True):
            data = data.replace(mark, mark[:-_DIGITS] + b"%09d" % value)
        return data

    def fill(self, root: Path, count: int) -> None:
        """The files of the first ``count`` instances, as on a stick that has lost its DICOMDIR."""
        (root / "GATEWAY").mkdir(parents=True)
        (root / "GATEWAY/LOCK").touch()  # by which a medium of ours is known
        for number in range(count):
            patient, series = number - number % A_PATIENT + 1, number - number % A_SERIES + 1
            folder = root / f"PA{patient:06}/ST{patient:06}/SE{series:06}"
            if number + 1 == series:
                folder.mkdir(parents=True)
            (folder / f"IN{number + 1:06}").write_bytes(self.data(number))

    def new(self, folder: Path) -> Path:
        """One of a patient that no file-set has."""
        folder.mkdir(exist_ok=True)
        number = next(self._new)
        path = folder / f"NEW{number % 100_000:05}"
        path.write_bytes(self.data(number))
        return path


def under(root: Path) -> Iterator[Path]:
    for parent, _folders, names in os.walk(root):
        yield from (Path(parent) / name for name in names)


def link(root: Path, other: Path) -> None:
    """The same files in another folder, without what makes them a file-set of ours."""
    for path in under(root):
        relative = path.relative_to(root)
        if relative.parts[0].startswith("PA"):
            (other / relative).parent.mkdir(parents=True, exist_ok=True)
            (other / relative).hardlink_to(path)


def forget(root: Path) -> None:
    """Drop the pages that the kernel holds of all files, as when a stick was just plugged in."""
    for path in under(root):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
