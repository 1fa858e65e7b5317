"""The checker finds each fault that is planted, and no medium can hang or harm it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiers import examples
from transfer.media.samples import GENERAL_32, Make, data_set, rewrite_hashes, write

from gateway.errors import GatewayError, Held
from gateway.transfer import media
from gateway.transfer.media import fileset, hashes, tombstones
from gateway.transfer.media.dicomdir import layout
from gateway.transfer.media.dicomdir.elements import Malformed, Window, element_at, encode


@pytest.fixture
def filled(make: Make, stick: Path) -> Path:
    for patient in ("P1", "P2", "P2"):
        media.add(stick, make(PatientID=patient), "WARD")
    media.add(stick, make(GENERAL_32), "WARD")
    assert media.verify(stick).sound
    return stick


def offset_of(root: Path, kind: str) -> int:
    items = pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence
    return next(item.seq_item_tell for item in items if item.DirectoryRecordType == kind)


def patch(root: Path, at: int, data: bytes) -> None:
    with (root / "DICOMDIR").open("r+b") as stream:
        stream.seek(at)
        stream.write(data)


def link(root: Path, kind: str, field: int, target: int) -> None:
    patch(root, offset_of(root, kind) + field, struct.pack("<I", target))


def replace(root: Path, old: bytes, new: bytes) -> None:
    data = (root / "DICOMDIR").read_bytes()
    assert len(old) == len(new)
    assert old in data
    (root / "DICOMDIR").write_bytes(data.replace(old, new, 1))


def _last_at(root: Path) -> int:
    return (root / "DICOMDIR").read_bytes().index(b"\x04\0\x02\x12UL") + 8


def _change_uid(root: Path) -> None:
    items = pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence
    uid = next(i for i in items if i.DirectoryRecordType == "WAVEFORM").ReferencedSOPInstanceUIDInFile
    replace(root, uid.encode(), (uid[:-1] + str((int(uid[-1]) + 1) % 10)).encode())


def offsets_of(root: Path, kind: str) -> list[int]:
    items = pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence
    return [item.seq_item_tell for item in items if item.DirectoryRecordType == kind]


def _first_at(root: Path) -> int:
    return (root / "DICOMDIR").read_bytes().index(b"\x04\0\x00\x12UL") + 8


def _patient_with_next(root: Path) -> int:
    items = pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence
    return next(i.seq_item_tell for i in items if "PatientID" in i and i.OffsetOfTheNextDirectoryRecord)


def _waveform(root: Path) -> pydicom.Dataset:
    items = pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence
    return next(item for item in items if item.DirectoryRecordType == "WAVEFORM")


def name_of(root: Path) -> str:
    return "/".join(_waveform(root).ReferencedFileID)


def uid_of(root: Path) -> str:
    return str(_waveform(root).ReferencedSOPInstanceUIDInFile)


def _swap(root: Path) -> None:
    one, other = sorted(root.glob("PA*/*/*/*"))[:2]
    one.rename(root / "X")
    other.rename(one)
    (root / "X").rename(other)


def _rehash(root: Path) -> None:
    found = {p.relative_to(root).as_posix(): hashes.of_file(p) for p in root.glob("PA*/*/*/*")}
    rewrite_hashes(root, found)


NEXT, IN_USE, LOWER = 16, 28, layout.LOWER_AT
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file is missing": (lambda r: next(r.glob("PA*/*/*/*")).unlink(), "there is no such file"),
    "a file has a flipped bit": (
        lambda r: (p := next(r.glob("PA*/*/*/*"))).write_bytes(p.read_bytes()[:-1] + b"\x7f"),
        "its content is not what was written",
    ),
    "a file became a link": (
        lambda r: ((p := next(r.glob("PA*/*/*/*"))).rename(r / "X"), p.symlink_to(r / "X")),
        "there is no such file",
    ),
    "a file nobody names": (
        lambda r: (r / "PA000001/ST000001/SE000001/IN000099").write_bytes(b""),
        "the DICOMDIR does not name it",
    ),
    "the hashes are gone": (lambda r: (r / "GATEWAY/SHA256.TXT").unlink(), "its hash is not remembered"),
    "a link into a record": (
        lambda r: link(r, "STUDY", LOWER, offset_of(r, "STUDY") + 8),
        "no directory record",
    ),
    "a link beyond the file": (lambda r: link(r, "SERIES", LOWER, 0xFFFFFFF0), "no directory record"),
    "a cycle of siblings": (lambda r: link(r, "STUDY", NEXT, offset_of(r, "STUDY")), "reached a second time"),
    "a cycle to the top": (lambda r: link(r, "WAVEFORM", LOWER, offset_of(r, "PATIENT")), "reached a second time"),
    "a series below nothing": (lambda r: link(r, "STUDY", LOWER, 0), "nothing refers to the SERIES record"),
    "a wrong last record": (lambda r: patch(r, _last_at(r), b"\x02\0\0\0"), "as (0004,1202) says"),
    "another file's UID": (_change_uid, "holds another object than its record says"),
    "a File ID that climbs out": (lambda r: replace(r, b"PA000001\\ST000001", b"PA000001\\..000001"), "is not allowed"),
    "a wrong record type": (lambda r: replace(r, b"WAVEFORM", b"RAW DATA"), "lacks the record type of"),
    "a key is empty": (lambda r: replace(r, b"\x08\0\x60\0CS\4\0ECG ", b"\x08\0\x60\0CS\4\0    "), "lacks Modality"),
    "a Patient ID twice": (
        lambda r: replace(r, b"LO\2\0P2", b"LO\2\0P1"),
        "has the Patient ID of another one",
    ),
    "the first record of the root is wrong": (
        lambda r: patch(r, _first_at(r), b"\x02\0\0\0"),
        "the root points to 2, where no directory record starts",
    ),
    "the first record of the root is a study": (
        lambda r: patch(r, _first_at(r), struct.pack("<I", offset_of(r, "STUDY"))),
        "the STUDY record at",
    ),
    "two records have one below": (
        lambda r: link(r, "STUDY", LOWER, offsets_of(r, "SERIES")[-1]),
        "reached a second time",
    ),
    "a sibling is skipped": (
        lambda r: patch(r, _patient_with_next(r) + NEXT, bytes(4)),
        "nothing refers to the PATIENT",
    ),
    "a record is marked as not in use": (
        lambda r: patch(r, offset_of(r, "WAVEFORM") + IN_USE, b"\0\0"),
        "marked as not in use",
    ),
    "an in-use flag that is neither": (
        lambda r: patch(r, offset_of(r, "SERIES") + IN_USE, b"\x01\0"),
        "has the In-use Flag 0001H, not FFFFH",
    ),
    "the consistency flag": (
        lambda r: replace(r, b"\x04\0\x12\x12US\2\0\0\0", b"\x04\0\x12\x12US\2\0\xff\xff"),
        "the File-set Consistency Flag is FFFFH, not 0000H",
    ),
    "a File ID in lower case": (
        lambda r: replace(r, b"PA000001\\ST000001", b"pa000001\\ST000001"),
        "which is not allowed",
    ),
    "a File ID with a component that is too long": (
        lambda r: replace(r, b"PA000001\\ST000001", b"PA000001CST000001"),
        "which is not allowed",
    ),
    "a File ID with nine components": (
        lambda r: replace(
            r, b"PA000001\\ST000001\\SE000001\\IN000001", b"A\\B\\C\\D\\E\\F\\G\\H\\SE000001\\IN000001"[:35].ljust(35)
        ),
        "which is not allowed",
    ),
    "a File ID of two dots": (
        lambda r: replace(r, b"PA000001\\ST000001", b"..\\..\\..\\ETC\\X001"),
        "which is not allowed",
    ),
    "two records name one file": (
        lambda r: replace(r, b"PA000002\\ST000003\\SE000003\\IN000003", b"PA000002\\ST000002\\SE000002\\IN000002"),
        "has the File ID of another one",
    ),
    "two files are swapped": (_swap, "its content is not what was written"),
    "two files are swapped and their hashes too": (
        lambda r: (_swap(r), _rehash(r)),
        "holds another object than its record says",
    ),
    "a wrong hash": (
        lambda r: (p := r / "GATEWAY/SHA256.TXT").write_bytes(b"0" * 64 + p.read_bytes()[64:]),
        "its content is not what was written",
    ),
    "a hash line is missing": (
        lambda r: (p := r / "GATEWAY/SHA256.TXT").write_bytes(p.read_bytes().split(b"\n", 1)[1]),
        "IN000001: its hash is not remembered",
    ),
    "a wrong class": (
        lambda r: replace(r, b"1.2.840.10008.5.1.4.1.1.9.1.1", b"1.2.840.10008.5.1.4.1.1.9.1.2"),
        "holds another object than its record says",
    ),
    "a wrong transfer syntax": (
        lambda r: replace(r, b"\x12\x15UI\x14\x001.2.840.10008.1.2.1", b"\x12\x15UI\x14\x001.2.840.10008.1.2.2"),
        "holds another object than its record says",
    ),
    "an instance below another patient's record": (
        lambda r: replace(r, b"LO\2\0P2", b"LO\2\0P7"),
        "holds an object of another patient, study or series",
    ),
    "a missing key": (
        lambda r: replace(r, b"\x23\0DA\x08\x00", b"\x24\0DA\x08\x00"),
        "lacks Content Date",
    ),
    "a key of type 2 is missing": (
        lambda r: replace(r, b"\x08\0\x50\0SH", b"\x08\0\x51\0SH"),
        "lacks Accession Number",
    ),
    "text without a character set": (
        lambda r: replace(r, b"Doe^Jane", b"Doe^J\xc3\xa4n"),
        "lacks Specific Character Set",
    ),
    "a file is truncated": (
        lambda r: (p := next(r.glob("PA*/*/*/*"))).write_bytes(p.read_bytes()[:300]),
        "its content is not what was written",
    ),
    "a study without series": (lambda r: link(r, "STUDY", LOWER, 0), "has nothing below it"),
    "a record type nobody knows": (lambda r: replace(r, b"CS\6\0SERIES", b"CS\6\0SERIEN"), "may not stand below STUDY"),
    "a record ends beyond the file": (
        lambda r: patch(r, offset_of(r, "STUDY") + 4, struct.pack("<I", 0x7FFFFFF0)),
        "an item says",
    ),
    "elements out of order": (lambda r: replace(r, b"\x08\0\x30\0TM", b"\x08\0\x10\0TM"), "is out of order"),
    "another class of file": (
        lambda r: replace(r, b"1.2.840.10008.1.3.10", b"1.2.840.10008.1.3.11"),
        "not of the class Media Storage Directory",
    ),
    "another transfer syntax": (
        lambda r: replace(r, b"\x10\0UI\x14\x001.2.840.10008.1.2.1", b"\x10\0UI\x14\x001.2.840.10008.1.2.2"),
        "not Explicit VR Little Endian",
    ),
    "what was removed is named again": (
        lambda r: tombstones.put(r, name_of(r), uid_of(r)),
        "was removed, but the WAVEFORM record",
    ),
    "the end is cut off": (
        lambda r: (r / "DICOMDIR").write_bytes((r / "DICOMDIR").read_bytes()[:-9]),
        "the file ends at",
    ),
    "no DICOMDIR": (lambda r: (r / "DICOMDIR").unlink(), "there are files of a gateway, but no DICOMDIR"),
    "not DICOM": (lambda r: (r / "DICOMDIR").write_bytes(b"hello" * 99), "there is no DICM"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_said(fault: str, filled: Path) -> None:
    plant, words = FAULTS[fault]
    plant(filled)
    report = media.verify(filled)
    assert not report.sound
    assert words in str(report)


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"a File ID that climbs out"}))
def test_repair_makes_it_sound_but_for_what_is_lost(fault: str, filled: Path) -> None:
    FAULTS[fault][0](filled)
    done = media.repair(filled)
    report = media.verify(filled)
    unnamed = [problem for problem in report.problems if "does not name it" not in problem]
    assert not unnamed
    lost = {"a file is missing", "a file has a flipped bit", "a file became a link", "a file is truncated"}
    lost |= {"a wrong hash", "what was removed is named again"}
    assert done.instances == (2 if fault == "two files are swapped" else 3 if fault in lost else 4)


def test_links_and_pipes_on_a_medium_are_neither_followed_nor_waited_for(make: Make, filled: Path) -> None:
    outside = filled.parent / "outside"
    outside.mkdir()
    os.mkfifo(filled / "PA000001" / "ST000001" / "SE000001" / "IN000009")
    media.repair(filled)
    assert "IN000009 is there" in str(media.verify(filled))
    (filled / "DICOMDIR").unlink()
    os.mkfifo(filled / "DICOMDIR")
    assert "no regular file" in str(media.verify(filled))
    assert media.repair(filled).instances == 4
    for name in ("PA000001", "GATEWAY", "DICOMDIR"):
        (filled / name).rename(outside / name)
        (filled / name).symlink_to(outside / name)
        before = sorted(outside.rglob("*"))
        with pytest.raises(Held, match="is a link"):
            media.add(filled, make(StudyInstanceUID="1.2.3"), "WARD")
        assert sorted(outside.rglob("*")) == before
        (filled / name).unlink()
        (outside / name).rename(filled / name)


def test_a_second_gateway_that_wrote_to_the_medium_meanwhile_is_noticed(
    make: Make, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = dict(fileset._open)
    fileset._open.clear()
    media.add(filled, make(), "WARD")  # another process
    theirs = fileset._open[filled][0]
    fileset._open[filled] = (theirs, mine[filled][1])  # a file system with coarse times may not show it
    media.add(filled, make(), "WARD")
    assert media.verify(filled).sound


def test_a_damaged_file_is_never_written_over(make: Make, filled: Path) -> None:
    file = max(filled.glob("PA*/*/*/*"), key=lambda path: path.name)
    file.write_bytes(file.read_bytes() + b"\0\0")
    damaged = file.read_bytes()
    media.repair(filled)
    fileset._open.clear()
    for _ in range(3):
        media.add(filled, make(PatientID=file.parts[-4]), "WARD")
    assert file.read_bytes() == damaged


def test_a_report_names_no_patient(filled: Path) -> None:
    for file in filled.glob("PA*/*/*/*"):
        file.unlink()
    assert "Doe" not in str(media.verify(filled))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fuzz")
    (root / "stick").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layout, "SMALLEST_RESERVE", 2000)
        for patient in ("P1", "P2"):
            media.add(root / "stick", write(root, data_set(PatientID=patient)), "FUZZ")
    return root / "stick"


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_dicomdir_neither_hangs_nor_crashes_anything(sample: Path, data: st.DataObject) -> None:
    path = sample / "DICOMDIR"
    whole = path.read_bytes()
    try:
        mutated = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.integers(128, len(mutated) - 1))
            mutated[at : at + 1] = data.draw(st.binary(max_size=5))
        path.write_bytes(mutated)
        media.verify(sample)
        for judged in (media.status, media.repair):
            try:
                judged(sample)
            except GatewayError as error:
                assert error.fix
    finally:
        path.write_bytes(whole)


@given(
    st.integers(0, 0xFFFB_FFFF), st.sampled_from([b"LO", b"UI", b"OB", b"US", b"SQ", b"UT"]), st.binary(max_size=300)
)
def test_an_element_reads_back_as_it_was_encoded(tag: int, vr: bytes, value: bytes) -> None:
    data = encode(tag, vr, value)
    assert len(data) % 2 == 0
    element = element_at(Window(None, data), 0, len(data))
    assert (element.tag, element.vr, element.end) == (tag, vr, len(data))
    assert data[element.value : element.value + element.length].startswith(value)


@given(st.binary(max_size=64))
def test_bytes_that_are_no_element_are_malformed_or_end_within_their_limit(data: bytes) -> None:
    try:
        element = element_at(Window(None, data), 0, len(data))
    except Malformed:
        return
    assert 8 <= element.end <= len(data)
