"""A file-set of another program is extended without harm, or refused in words; it is never overwritten."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid
from transfer.media.foreign import (
    Handmade,
    by_dcmmkdir,
    by_hand,
    by_pydicom,
    dcmmkdir,
    patient,
    reference,
    series,
    study,
    three,
    waveform_keys,
)
from transfer.media.samples import GENERAL_32, PDF, SECONDARY_CAPTURE, Make

from gateway import fsops
from gateway.errors import Held, Retry
from gateway.transfer import media
from gateway.transfer.media import fileset, original
from gateway.transfer.media.dicomdir import layout
from gateway.transfer.media.dicomdir.elements import encode

Judge = Callable[..., str]
Fill = Callable[[Path, Make], object]


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    fsops.watch = None
    fileset._open.clear()


def image_with_icon(root: Path, make: Make) -> None:
    by_dcmmkdir(root, {"IMG": make(SECONDARY_CAPTURE, PatientID="F1").path}, "+X", "-Xs", "8")


FILLED: dict[str, Fill] = {
    "dcmmkdir": lambda root, make: by_dcmmkdir(root, three(make)),
    "dcmmkdir, undefined lengths": lambda root, make: by_dcmmkdir(root, three(make), "-e"),
    "dcmmkdir, group lengths": lambda root, make: by_dcmmkdir(root, three(make), "+g"),
    "dcmmkdir, an icon": image_with_icon,
    "pydicom": lambda root, make: by_pydicom(root, list(three(make).values())),
    "by hand": lambda root, _make: by_hand(root, "plain"),
    "by hand, lengths and padding behind": lambda root, _make: by_hand(root, "plain", defined=True, trailing=700),
    "by hand, group lengths": lambda root, _make: by_hand(root, "plain", defined=True, group_lengths=True),
    "by hand, strange records": lambda root, _make: by_hand(root, "strange"),
    "by hand, a shared file": lambda root, _make: by_hand(root, "shared", defined=True),
}


def leaves(root: Path) -> dict[str, str]:
    """SOP Instance UID -> File ID, whatever stands above it, along the links as they are."""
    ds = pydicom.dcmread(root / "DICOMDIR")
    items = {item.seq_item_tell: item for item in ds.DirectoryRecordSequence}
    found, todo = {}, [ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity]
    while todo:
        if at := todo.pop():
            item = items[at]
            if "ReferencedFileID" in item:
                name = item.ReferencedFileID
                found[item.ReferencedSOPInstanceUIDInFile] = name if isinstance(name, str) else "/".join(name)
            todo += [item.OffsetOfTheNextDirectoryRecord, item.OffsetOfReferencedLowerLevelDirectoryEntity]
    return found


def their_end(data: bytes) -> int:
    """Where the last record of a DICOMDIR ends."""
    at = data.index(b"\x04\0\x20\x12SQ") + 8
    length = int.from_bytes(data[at : at + 4], "little")
    return at + 4 + length if length != 0xFFFFFFFF else data.rindex(b"\xfe\xff\xdd\xe0\0\0\0\0")


@pytest.mark.parametrize("kind", FILLED)
def test_their_records_keep_their_bytes_and_places_and_ours_are_found_beside_them(
    kind: str, make: Make, stick: Path
) -> None:
    FILLED[kind](stick, make)
    files = {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()}
    before, there, problems = files.pop(stick / "DICOMDIR"), leaves(stick), set(media.verify(stick).problems)
    ours = [make(PatientID="F1"), make(GENERAL_32, PatientID="N1"), make(PDF, PatientID="F2"), make(PatientID="F1")]
    added = {one.sop_instance_uid: media.add(stick, one, "WARD").file_id for one in ours}
    after = (stick / "DICOMDIR").read_bytes()
    end = their_end(before)
    changed = [at for at in range(end) if before[at] != after[at]]
    assert len(changed) <= 4 + 4 * 4 + 4, "the sequence's length, a link for each add at most, a group length"
    assert leaves(stick) == there | added
    assert {path: path.read_bytes() for path in files} == files
    assert original.place(stick).read_bytes() == before
    assert set(media.verify(stick).problems) <= problems


@pytest.mark.parametrize("kind", FILLED)
def test_the_judges_find_no_fault_that_was_not_there_before(kind: str, make: Make, stick: Path, judge: Judge) -> None:
    FILLED[kind](stick, make)
    there = leaves(stick)

    def errors() -> set[str]:
        said = judge("dciodvfy", str(stick / "DICOMDIR")) + judge("dcmdump", "+E", str(stick / "DICOMDIR"))
        return {line for line in said.splitlines() if line.startswith(("Error", "E:"))}

    before = errors()
    ours = {media.add(stick, make(PatientID=p), "WARD").file_id for p in ("F1", "N1")}
    assert errors() <= before
    listed = judge("dcdirdmp", str(stick / "DICOMDIR"))
    assert all(file_id.replace("/", "\\") in listed for file_id in ours)
    if "strange" not in kind and "shared" not in kind:  # pydicom knows only the usual records
        assert {i.SOPInstanceUID for i in FileSet(stick / "DICOMDIR")} == set(leaves(stick))
        assert set(there) < set(leaves(stick))


@pytest.mark.parametrize("kind", ["dcmmkdir", "dcmmkdir, undefined lengths", "pydicom"])
def test_the_other_program_goes_on_with_what_we_extended_and_we_with_what_it_wrote_then(
    kind: str, make: Make, stick: Path
) -> None:
    FILLED[kind](stick, make)
    expected = set(leaves(stick))
    for turn in range(3):
        one = make(PatientID="F1", PatientName="Fremd^Eins")
        media.add(stick, one, "WARD")
        theirs = make(PatientID="F1", PatientName="Fremd^Eins")
        if turn % 2 == (kind == "pydicom"):
            shutil.copy(theirs.path, stick / "DATA" / f"MORE{turn}") if (stick / "DATA").exists() else shutil.copy(
                theirs.path, stick / f"MORE{turn}"
            )
            name = f"DATA/MORE{turn}" if (stick / "DATA").exists() else f"MORE{turn}"
            dcmmkdir(stick, "+A", "+id", str(stick), name)
        else:
            other = FileSet(stick / "DICOMDIR")
            other.add(theirs.path)
            other.write()
        expected |= {one.sop_instance_uid, theirs.sop_instance_uid}
        assert set(leaves(stick)) == expected
        assert media.verify(stick).sound, str(media.verify(stick))
    last = make(PatientID="F1")
    media.add(stick, last, "WARD")
    assert set(leaves(stick)) == expected | {last.sop_instance_uid}
    assert media.repair(stick).left_out == ()
    assert set(leaves(stick)) == expected | {last.sop_instance_uid}
    assert media.verify(stick).sound


@pytest.mark.parametrize("by", ["dcmmkdir", "pydicom"])
def test_a_dicomdir_of_ours_that_another_program_wrote_over_is_gone_on_with(by: str, make: Make, stick: Path) -> None:
    first, theirs, second = make(), make(PatientID="F9"), make()
    media.add(stick, first, "WARD")
    if by == "dcmmkdir":
        shutil.copy(theirs.path, stick / "THEIRS")
        dcmmkdir(stick, "+A", "+id", str(stick), "THEIRS")
    else:
        other = FileSet(stick / "DICOMDIR")
        other.add(theirs.path)
        other.write()
    media.add(stick, second, "WARD")
    everything = {one.sop_instance_uid for one in (first, theirs, second)}
    assert set(leaves(stick)) == everything
    (stick / "DICOMDIR").unlink()
    assert media.repair(stick).instances == 3
    assert set(leaves(stick)) == everything
    assert media.verify(stick).sound


@pytest.mark.parametrize("kind", FILLED)
def test_repair_starts_from_what_the_other_program_said_and_adds_ours(kind: str, make: Make, stick: Path) -> None:
    FILLED[kind](stick, make)
    problems = set(media.verify(stick).problems)
    for p in ("F1", "N1"):
        media.add(stick, make(PatientID=p), "WARD")
    expected = leaves(stick)
    for harm in (
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
    ):
        harm(stick / "DICOMDIR")
        media.repair(stick)
        assert leaves(stick) == expected
        assert set(media.verify(stick).problems) <= problems


def test_existing_records_are_used_for_the_same_entities(make: Make, stick: Path) -> None:
    by_hand(stick, "plain")
    media.add(stick, make(PatientID="F1", StudyInstanceUID="1.2.8.1", SeriesInstanceUID="1.2.8.1.1"), "WARD")
    media.add(stick, make(PatientID="F1", StudyInstanceUID="1.2.8.1"), "WARD")
    media.add(stick, make(PatientID="F1"), "WARD")
    counts = media.verify(stick).counts
    assert (counts["PATIENT"], counts["STUDY"], counts["SERIES"], counts["WAVEFORM"]) == (1, 2, 3, 4)
    fileset._open.clear()
    media.add(stick, make(PatientID="F1", StudyInstanceUID="1.2.8.1"), "WARD")
    assert media.verify(stick).counts["PATIENT"] == 1


def test_a_folder_for_their_patient_is_made_once(make: Make, stick: Path) -> None:
    by_hand(stick, "plain")
    one = media.add(stick, make(PatientID="F1"), "WARD").file_id
    fileset._open.clear()
    other = media.add(stick, make(PatientID="F1"), "WARD").file_id
    assert one.split("/")[0] == other.split("/")[0]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([patient(b"P1", born=b"19000101")], "another patient with the same Patient ID"),
        ([patient(b"P1", issuer=b"B")], "another patient with the same Patient ID"),
        ([patient(b"P1", issuer=b"A"), patient(b"P1")], "two patients with this Patient ID"),
    ],
)
def test_a_patient_id_that_another_person_has_or_two_have_is_held(
    records: list[bytes], words: str, make: Make, stick: Path
) -> None:
    dir_ = Handmade()
    dir_.link(None, *(dir_.record("PATIENT", body) for body in records))
    before = dir_.write(stick / "DICOMDIR")
    with pytest.raises(Held, match=words):
        media.add(stick, make(PatientID="P1", IssuerOfPatientID="A"), "WARD")
    assert (stick / "DICOMDIR").read_bytes() == before
    media.add(stick, make(PatientID="P2"), "WARD")


def test_a_patient_id_in_another_character_set_is_the_same_patient(make: Make, stick: Path) -> None:
    dir_ = Handmade()
    latin = dir_.record("PATIENT", patient("Ñ1".encode("latin-1"), character_set=b"ISO_IR 100"))
    dir_.link(None, latin)
    dir_.write(stick / "DICOMDIR")
    media.add(stick, make(PatientID="Ñ1"), "WARD")  # UTF-8
    assert media.status(stick).counts["PATIENT"] == 1
    shutil.rmtree(stick)
    stick.mkdir()
    unreadable = dir_.record("PATIENT", patient(b"\xf0\xf1", character_set=b"ISO_IR 999"))
    dir_.link(None, latin, unreadable)
    dir_.write(stick / "DICOMDIR")
    with pytest.raises(Held, match="cannot be read"):
        media.add(stick, make(PatientID="Ö2"), "WARD")
    media.add(stick, make(PatientID="P1"), "WARD")


def test_an_inactive_record_gets_nothing_below_it(make: Make, stick: Path) -> None:
    by_hand(stick, "strange")
    media.add(stick, make(PatientID="GONE"), "WARD")
    found = [r for r in pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence if r.get("PatientID") == "GONE"]
    assert sorted(record.RecordInUseFlag for record in found) == [0, 0xFFFF]
    assert next(r for r in found if not r.RecordInUseFlag).OffsetOfReferencedLowerLevelDirectoryEntity == 0


def test_a_file_set_without_records_becomes_one_with_ours(make: Make, stick: Path) -> None:
    for defined in (True, False):
        shutil.rmtree(stick)
        stick.mkdir()
        Handmade(defined=defined).write(stick / "DICOMDIR")
        one = make()
        media.add(stick, one, "WARD")
        assert set(leaves(stick)) == {one.sop_instance_uid}
        assert media.verify(stick).sound, str(media.verify(stick))
        fileset._open.clear()


def test_a_link_that_lies_across_two_sectors_is_never_written_in_place(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    write_at = fsops.write_at

    def note(path: Path, offset: int, data: bytes) -> None:
        written.append((offset, len(data)))
        write_at(path, offset, data)

    monkeypatch.setattr(fsops, "write_at", note)
    dir_ = Handmade()
    torn = 0
    for pad in range(500):  # each record is two bytes longer than the one before
        dir_.record("PATIENT", patient(b"P%d" % pad, private=encode(0x00111001, b"UN", bytes(2 * pad))))
    dir_.link(None, *range(500))
    dir_.write(stick / "DICOMDIR")
    for item in pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence:
        if not layout.whole(item.seq_item_tell + layout.LOWER_AT):
            torn += 1
            for _ in range(2):
                media.add(stick, make(PatientID=item.PatientID), "WARD")
    assert torn
    assert media.verify(stick).counts["WAVEFORM"] == 2 * torn
    assert all(layout.whole(at) for at, size in written if size == 4)


@pytest.mark.parametrize("name", ["PA000001/ST000001/SE000001/IN000001", "PA000001"])
def test_a_file_of_theirs_with_a_name_like_ours_is_never_written_over(name: str, make: Make, stick: Path) -> None:
    theirs = make(PatientID="F1")
    by_dcmmkdir(stick, {"F1": theirs.path})
    place = stick / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"not in their DICOMDIR")
    for p in ("F1", "N1"):
        assert not media.add(stick, make(PatientID=p), "WARD").file_id.endswith(name[-8:])
    assert place.read_bytes() == b"not in their DICOMDIR"


def test_a_file_of_theirs_that_is_named_like_ours_takes_its_number(make: Make, stick: Path) -> None:
    name = "PA000001/ST000001/SE000001/IN000007"
    by_dcmmkdir(stick, {name: make(PatientID="F1").path})
    before = (stick / name).read_bytes()
    assert media.add(stick, make(PatientID="N1"), "WARD").file_id.endswith("IN000008")
    assert (stick / name).read_bytes() == before


def test_an_instance_that_they_have_already_is_not_copied_again_but_compared(make: Make, stick: Path) -> None:
    one = make(PatientID="F1")
    by_dcmmkdir(stick, {"F1": one.path})
    before = sorted(path for path in stick.rglob("*") if path.is_file() and "GATEWAY" not in path.parts)
    assert media.add(stick, one, "WARD").file_id == "F1"
    assert sorted(path for path in stick.rglob("*") if path.is_file() and "GATEWAY" not in path.parts) == before
    data = bytearray((stick / "F1").read_bytes())
    data[-1] ^= 1
    (stick / "F1").write_bytes(data)
    with pytest.raises(Held, match="another object with the UID"):
        media.add(stick, one, "WARD")


@pytest.mark.parametrize("shown", [str.lower, lambda name: f"{name};1", lambda name: f"{name}.;1"])
def test_their_files_are_found_however_the_system_shows_their_names(
    shown: Callable[[str], str], make: Make, stick: Path
) -> None:
    by_dcmmkdir(stick, three(make))
    for file in (stick / "DATA").iterdir():
        file.rename(file.with_name(shown(file.name)))
    assert media.verify(stick).sound, str(media.verify(stick))
    (stick / "DICOMDIR").rename(stick / shown("DICOMDIR"))
    with pytest.raises(Held, match=r"rename .* to DICOMDIR"):
        media.add(stick, make(), "WARD")


def damaged(how: Callable[[bytes], bytes]) -> Fill:
    def fill(root: Path, make: Make) -> None:
        by_dcmmkdir(root, three(make))
        (root / "DICOMDIR").write_bytes(how((root / "DICOMDIR").read_bytes()))

    return fill


def circle(root: Path, _make: Make) -> None:
    dir_ = Handmade()
    one, other = dir_.record("PATIENT", patient(b"A")), dir_.record("PATIENT", patient(b"B"))
    dir_.link(None, one, other)
    dir_.items[other][2] = one
    dir_.write(root / "DICOMDIR")


REFUSED: dict[str, tuple[Fill, str]] = {
    "no DICOM": (damaged(lambda _data: b"somebody's"), "the file ends at 10"),
    "cut off": (damaged(lambda data: data[:-30]), "beyond"),
    "Implicit VR": (
        damaged(lambda d: d.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1)),
        "not Explicit VR Little Endian",
    ),
    "another class": (damaged(lambda d: d.replace(b"10008.1.3.10", b"10008.1.3.11")), "Media Storage Directory"),
    "a link to nowhere": (
        damaged(lambda d: d.replace(b"\x04\0\x00\x12UL\4\0", b"\x04\0\x00\x12UL\4\0\7\0\0\0", 1)),
        "",
    ),
    "a circle": (circle, "a second time"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_sound_is_refused_with_words_and_not_a_byte_is_written(why: str, make: Make, stick: Path) -> None:
    fill, words = REFUSED[why]
    fill(stick, make)
    before = {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()}
    with pytest.raises(Held, match=f"written by another program and cannot be extended: .*{words}"):
        media.add(stick, make(), "WARD")
    for attempt in (lambda: media.repair(stick), lambda: media.remove(stick, "1.2.3")):
        with pytest.raises(Held, match="another program"):
            attempt()
    assert {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()} == before
    assert not (stick / "GATEWAY").exists()


def test_where_the_configuration_says_refuse_nothing_is_written(make: Make, stick: Path) -> None:
    by_dcmmkdir(stick, three(make))
    with pytest.raises(Held, match=r'foreign = "extend"'):
        media.add(stick, make(), "WARD", extend=False)
    assert not (stick / "GATEWAY").exists()
    shutil.rmtree(stick)
    stick.mkdir()
    media.add(stick, make(), "WARD", extend=False)
    other = FileSet(stick / "DICOMDIR")
    other.add(make().path)
    other.write()
    before = (stick / "DICOMDIR").read_bytes()
    with pytest.raises(Held, match="rewritten by another program"):
        media.add(stick, make(), "WARD", extend=False)
    assert (stick / "DICOMDIR").read_bytes() == before


def test_ours_that_another_program_wrote_over_and_damaged_is_not_rebuilt_over_what_only_it_names(
    make: Make, stick: Path
) -> None:
    media.add(stick, make(), "WARD")
    shutil.copy(make(PatientID="F9").path, stick / "THEIRS")
    dcmmkdir(stick, "+A", "+id", str(stick), "THEIRS")
    data = bytearray((stick / "DICOMDIR").read_bytes())
    data[-40:] = bytes(40)
    (stick / "DICOMDIR").write_bytes(data)
    for attempt in (lambda: media.add(stick, make(), "WARD"), lambda: media.repair(stick)):
        with pytest.raises(Held, match="written by another program and cannot be extended"):
            attempt()
    assert (stick / "DICOMDIR").read_bytes() == data


def test_a_write_protected_file_set_says_so(make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_dcmmkdir(stick, three(make))

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(Retry, match="write-protected"):
        media.add(stick, make(), "WARD")


def test_a_file_set_of_another_gateway_is_gone_on_with_as_one_of_ours(make: Make, stick: Path) -> None:
    media.add(stick, make(), "OTHER")
    fileset._open.clear()
    media.add(stick, make(), "WARD", extend=False)
    assert media.verify(stick).file_set_id == "OTHER"
    assert not original.place(stick).exists()


def test_the_reserve_is_used_as_in_a_directory_that_was_ours_from_the_start(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "SMALLEST_RESERVE", 2000)
    by_dcmmkdir(stick, three(make), "+g")
    added = {}
    for number in range(12):
        one = make(PatientID=f"F{number % 3}")
        added[one.sop_instance_uid] = media.add(stick, one, "WARD").file_id
        if number % 3 == 0:
            fileset._open.clear()
    assert added.items() <= leaves(stick).items()
    assert media.verify(stick).sound, str(media.verify(stick))


def test_a_file_id_in_any_form_is_read(make: Make, stick: Path) -> None:
    """Components padded one by one, eight of them, or only one."""
    dir_ = Handmade()
    person, exam = dir_.record("PATIENT", patient(b"F1")), dir_.record("STUDY", study(b"1.2.8"))
    row = dir_.record("SERIES", series(b"1.2.8.1"))
    forms = [b"A", b"A\\B\\C\\D\\E\\F\\G\\H", b"A \\BB\\CCC ", b"..\\..\\ETC", b"lower\\case", b"X" * 16]
    rows = [dir_.record("WAVEFORM", reference(f, uid=f"1.2.8.1.{n}") + waveform_keys()) for n, f in enumerate(forms)]
    dir_.link(row, *rows)
    dir_.link(exam, row)
    dir_.link(person, exam)
    dir_.link(None, person)
    dir_.write(stick / "DICOMDIR")
    one = make(PatientID="F1", StudyInstanceUID="1.2.8", SeriesInstanceUID=generate_uid())
    assert re.fullmatch(r"PA\d{6}/ST\d{6}/SE\d{6}/IN\d{6}", media.add(stick, one, "WARD").file_id)
    assert len(leaves(stick)) == 7
    with pytest.raises(Held, match="another object with the UID"):
        media.add(stick, make(SOPInstanceUID="1.2.8.1.3"), "WARD")
