"""File-sets of other programs: DCMTK's and pydicom's as they make them, and what no program at hand makes, by hand."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from peers import need
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid
from transfer.media.samples import Make, data_set, write

from gateway.transfer.media.dicomdir.elements import encode

SEQUENCE = b"\x04\0\x20\x12SQ\0\0"


def by_dcmmkdir(root: Path, files: dict[str, str], *options: str) -> Path:
    """``files``: name on the medium -> path to copy from. Names are upper case, with '/' between components."""
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    dcmmkdir(root, "+id", str(root), *options, *files)
    return root


def dcmmkdir(root: Path, *options: str) -> str:
    command = [need("dcmmkdir"), "-Pfl", "+D", str(root / "DICOMDIR"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def by_pydicom(root: Path, paths: Sequence[str]) -> Path:
    made = FileSet()
    for path in paths:
        made.add(path)
    made.write(root)
    return root


def three(make: Make, **values: object) -> dict[str, str]:
    """Three instances of two patients, for :func:`by_dcmmkdir`."""
    return {
        "DATA/ECG1": make(PatientID="F1", PatientName="Fremd^Eins", **values).path,
        "DATA/ECG2": make(PatientID="F2", PatientName="Fremd^Zwei").path,
        "DATA/ECG3": make(PatientID="F2", PatientName="Fremd^Zwei").path,
    }


class Handmade:
    """A DICOMDIR record by record; ``defined``: with lengths instead of delimiters."""

    def __init__(self, defined: bool = False, group_lengths: bool = False, trailing: int = 0) -> None:
        self.defined, self.group_lengths, self.trailing = defined, group_lengths, trailing
        self.root: tuple[int, ...] = ()
        self.items: list[list[object]] = []  # type, body, next, lower, in use, shared

    def record(self, kind: str, body: bytes = b"", in_use: int = 0xFFFF, shared: int | None = None) -> int:
        self.items.append([kind, body, None, None, in_use, shared])
        return len(self.items) - 1

    def link(self, parent: int | None, *children: int) -> None:
        for one, other in itertools.pairwise(children):
            self.items[one][2] = other
        if parent is None:
            self.root = children
        else:
            self.items[parent][3] = children[0]

    def write(self, path: Path) -> bytes:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MediaStorageDirectoryStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        front = Dataset()
        front.file_meta = meta
        front.save_as(path, enforce_file_format=True)
        head = path.read_bytes()
        at = len(head) + (12 if self.group_lengths else 0) + len(encode(0x00041130, b"CS", b"HAND")) + 12 + 12 + 10 + 12
        offsets = []
        for item in self.items:
            offsets.append(at)
            at += len(self._item(item, offsets, None))
        body = b"".join(self._item(item, offsets, offsets) for item in self.items)
        first, last = (offsets[self.root[0]], offsets[self.root[-1]]) if self.root else (0, 0)
        tail = (b"" if self.defined else b"\xfe\xff\xdd\xe0\0\0\0\0") + (
            encode(0xFFFCFFFC, b"OB", bytes(self.trailing)) if self.trailing else b""
        )
        data = encode(0x00041130, b"CS", b"HAND") + encode(0x00041200, b"UL", struct.pack("<I", first))
        data += encode(0x00041202, b"UL", struct.pack("<I", last)) + encode(0x00041212, b"US", b"\0\0")
        data += SEQUENCE + struct.pack("<I", len(body) if self.defined else 0xFFFFFFFF) + body
        if self.group_lengths:
            data = encode(0x00040000, b"UL", struct.pack("<I", len(data) + (0 if self.defined else 8))) + data
        path.write_bytes(head + data + tail)
        return path.read_bytes()

    def _item(self, item: list[object], _sizes: list[int], offsets: list[int] | None) -> bytes:
        kind, body, following, lower, in_use, shared = item

        def to(i: object) -> bytes:
            return struct.pack("<I", 0 if offsets is None or i is None else offsets[i])

        links = encode(0x00041400, b"UL", to(following)) + encode(0x00041410, b"US", struct.pack("<H", in_use))
        links += encode(0x00041420, b"UL", to(lower)) + encode(0x00041430, b"CS", kind.encode())
        if shared is not None:
            links += encode(0x00041504, b"UL", to(shared))
        if self.group_lengths:
            links = encode(0x00040000, b"UL", struct.pack("<I", len(links))) + links
        if self.defined:
            return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(links + body)) + links + body
        return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + links + body + b"\xfe\xff\x0d\xe0\0\0\0\0"


def patient(patient_id: bytes, **more: bytes) -> bytes:
    """Keys of a PATIENT record: ``character_set``, ``issuer``, ``born``, ``private``."""
    body = encode(0x00080005, b"CS", more["character_set"]) if "character_set" in more else b""
    body += encode(0x00100010, b"PN", b"Hand^Made") + encode(0x00100020, b"LO", patient_id)
    body += encode(0x00100021, b"LO", more["issuer"]) if "issuer" in more else b""
    body += encode(0x00100030, b"DA", more["born"]) if "born" in more else b""
    return body + more.get("private", b"")


def study(uid: bytes) -> bytes:
    body = encode(0x00080020, b"DA", b"20260101") + encode(0x00080030, b"TM", b"120000")
    body += encode(0x00080050, b"SH", b"") + encode(0x00081030, b"LO", b"Hand")
    return body + encode(0x0020000D, b"UI", uid) + encode(0x00200010, b"SH", b"1")


def series(uid: bytes) -> bytes:
    return encode(0x00080060, b"CS", b"ECG") + encode(0x0020000E, b"UI", uid) + encode(0x00200011, b"IS", b"1")


def reference(file_id: bytes, ds: Dataset | None = None, uid: str = "1.2.3") -> bytes:
    """The reference to a file, and the keys of a WAVEFORM record."""
    sop = (str(ds.SOPClassUID), str(ds.SOPInstanceUID)) if ds else ("1.2.840.10008.5.1.4.1.1.9.1.1", uid)
    return (
        encode(0x00041500, b"CS", file_id)
        + encode(0x00041510, b"UI", sop[0].encode())
        + encode(0x00041511, b"UI", sop[1].encode())
        + encode(0x00041512, b"UI", ExplicitVRLittleEndian.encode())
    )


def waveform_keys() -> bytes:
    return (
        encode(0x00080023, b"DA", b"20260101") + encode(0x00080033, b"TM", b"120000") + encode(0x00200013, b"IS", b"1")
    )


def by_hand(root: Path, kind: str, **how: object) -> Path:
    """What no program at hand makes: see the names in ``test_foreign``. Patient F1 has one file, F1.

    Private keys and an icon in a record, a private and an unknown record, a retired TOPIC, an inactive patient, and a
    file that is named through a Multi-Referenced File Directory Record.
    """
    ds = data_set(PatientID="F1", StudyInstanceUID="1.2.8.1", SeriesInstanceUID="1.2.8.1.1")
    write(root, ds)
    (root / f"{ds.SOPInstanceUID}.dcm").rename(root / "F1")
    dir_ = Handmade(**how)
    private = encode(0x00110010, b"LO", b"ACME") + encode(0x00111001, b"UN", b"\1\2\3\4")
    person = dir_.record("PATIENT", patient(b"F1", born=b"19700101", private=private))
    exam, row = dir_.record("STUDY", study(b"1.2.8.1")), dir_.record("SERIES", series(b"1.2.8.1.1"))
    icon = encode(0x00280010, b"US", b"\2\0") + encode(0x7FE00010, b"OB", b"\xfe\xff\xdd\xe0\0\0\0\0")
    icon = encode(0x00880200, b"SQ", b"\xfe\xff\0\xe0\xff\xff\xff\xff" + icon + b"\xfe\xff\x0d\xe0\0\0\0\0")
    named = reference(b"F1", ds)
    roots = [person]
    if kind == "shared":
        shared = dir_.record("MRDR", named)
        leaf = dir_.record("WAVEFORM", waveform_keys(), shared=shared)
        roots.append(shared)
    else:
        leaf = dir_.record("WAVEFORM", named + waveform_keys() + icon)
    below = [leaf]
    if kind == "strange":
        below.append(dir_.record("ACME THING", encode(0x00111001, b"UN", b"??")))
        roots.append(dir_.record("PRIVATE", encode(0x00041432, b"UI", b"1.2.3.4") + private))
        topic = dir_.record("TOPIC", encode(0x00880904, b"LO", b"Teaching"))
        lesson = dir_.record("WAVEFORM", reference(b"T1", uid="1.2.9.9") + waveform_keys())
        write(root, data_set(PatientID="T1", SOPInstanceUID="1.2.9.9"))
        (root / "1.2.9.9.dcm").rename(root / "T1")
        dir_.link(topic, lesson)
        roots += [topic, dir_.record("PATIENT", patient(b"GONE"), in_use=0)]
    dir_.link(row, *below)
    dir_.link(exam, row)
    dir_.link(person, exam)
    dir_.link(None, *roots)
    dir_.write(root / "DICOMDIR")
    return root
