"""What a gateway put on a medium leaves it again: all of it, nothing else, and no repair brings it back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from cutting import Cut, after
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid
from transfer.media.foreign import by_dcmmkdir, by_hand, dcmmkdir, three
from transfer.media.samples import Make
from transfer.media.test_foreign import leaves

from gateway import fsops
from gateway.cli import main
from gateway.errors import Held, Misuse
from gateway.transfer import media
from gateway.transfer.media import fileset, hashes, original, tombstones


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    fsops.watch = None
    fileset._open.clear()


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and "GATEWAY" not in p.parts}


@pytest.mark.parametrize("which", range(5))
def test_the_instance_its_file_its_hash_and_what_is_left_empty_go_and_nothing_else(
    which: int, make: Make, stick: Path
) -> None:
    study, row = generate_uid(), generate_uid()
    made = [make(StudyInstanceUID=study, SeriesInstanceUID=row) for _ in range(2)]
    made += [make(StudyInstanceUID=study), make(), make(PatientID="P2")]
    names = {one.sop_instance_uid: media.add(stick, one, "WARD").file_id for one in made}
    out = made[which].sop_instance_uid
    gone = names.pop(out)
    assert media.remove(stick, out) == gone
    for _ in ("removed", "repaired"):
        assert leaves(stick) == names
        assert files(stick) == {"DICOMDIR", *names.values()}
        assert {p.name for p in stick.rglob("*") if p.is_dir() and not any(p.iterdir())} == set()
        assert set(hashes.remembered(stick)) == set(names.values())
        report = media.verify(stick)
        assert report.sound, str(report)
        assert report.counts["SERIES"] == len({n.rsplit("/", 1)[0] for n in names.values()})
        media.repair(stick)


def test_without_its_last_record_there_is_no_dicomdir(make: Make, stick: Path) -> None:
    one = make()
    media.add(stick, one, "WARD")
    media.remove(stick, one.sop_instance_uid)
    assert files(stick) == set()
    media.repair(stick)
    assert files(stick) == set()
    assert media.verify(stick).sound
    again = media.add(stick, one, "WARD").file_id
    assert again.endswith("IN000002"), "a removed file's name is never used again"
    media.repair(stick)
    assert leaves(stick) == {one.sop_instance_uid: again}


def test_adding_goes_on_after_a_removal_wherever_the_record_stood(make: Make, stick: Path) -> None:
    names = {}
    for number in range(12):
        one = make(PatientID=f"P{number % 3}")
        names[one.sop_instance_uid] = media.add(stick, one, "WARD").file_id
        if number % 2:
            out = sorted(names)[number % len(names)]
            media.remove(stick, out)
            del names[out]
    assert leaves(stick) == names
    assert media.verify(stick).sound, str(media.verify(stick))
    assert {i.SOPInstanceUID for i in FileSet(stick / "DICOMDIR")} == set(names)


@pytest.mark.parametrize("mend", ["add", "repair", "remove"])
@pytest.mark.parametrize("kind", ["ours", "extended", "last of ours"])
def test_a_cut_after_any_step_leaves_it_on_the_medium_or_is_mended(
    kind: str, mend: str, make: Make, stick: Path, tmp_path: Path
) -> None:
    if kind != "ours":
        by_dcmmkdir(stick, three(make))
    if kind != "last of ours":
        media.add(stick, make(PatientID="F1"), "WARD")
    out = make(PatientID="N1")
    media.add(stick, out, "WARD")
    rest = set(leaves(stick)) - {out.sop_instance_uid}
    fileset._open.clear()
    seen: list[str] = []
    fsops.watch = after(lambda what, _where: seen.append(what))
    media.remove(shutil.copytree(stick, tmp_path / "rehearsal"), out.sop_instance_uid)
    assert len(seen) > 8
    for step in range(1, len(seen) + 1):
        root = shutil.copytree(stick, tmp_path / f"cut{step}")
        count = iter(range(1, step + 1))

        def stop(_what: str, _where: str, count: Iterator[int] = count, step: int = step) -> None:
            if next(count) == step:
                raise Cut

        fsops.watch = after(stop)
        with pytest.raises(Cut):
            media.remove(root, out.sop_instance_uid)
        fsops.watch = None
        assert set(leaves(root)) - {out.sop_instance_uid} == rest, step
        said = tombstones.read(root)
        added: set[str] = set()
        if mend == "add":
            one = make(PatientID="N2")
            media.add(root, one, "WARD")
            added = {one.sop_instance_uid}
            fileset._open.clear()
        elif mend == "repair":
            media.repair(root)
        else:
            try:
                media.remove(root, out.sop_instance_uid)
            except Misuse:
                assert said, step
        assert set(leaves(root)) == rest | added | (set() if said or mend == "remove" else {out.sop_instance_uid}), step
        assert media.verify(root).sound, (step, str(media.verify(root)))


def test_when_the_last_of_ours_goes_their_dicomdir_is_what_it_was(make: Make, stick: Path) -> None:
    by_dcmmkdir(stick, three(make))
    before = {name: (stick / name).read_bytes() for name in files(stick)}
    made = [make(PatientID=p) for p in ("F1", "N1", "N1")]
    for one in made:
        media.add(stick, one, "WARD")
    for one in made:
        media.remove(stick, one.sop_instance_uid)
    assert {name: (stick / name).read_bytes() for name in files(stick)} == before
    media.repair(stick)
    assert {name: (stick / name).read_bytes() for name in files(stick)} == before
    media.add(stick, made[0], "WARD")
    assert media.verify(stick).sound


@pytest.mark.parametrize("kind", ["plain", "strange", "shared"])
def test_records_of_any_kind_stay_when_ours_beside_them_go(kind: str, make: Make, stick: Path) -> None:
    by_hand(stick, kind)
    there, problems = leaves(stick), set(media.verify(stick).problems)
    made = [make(PatientID="F1") for _ in range(3)]
    for one in made:
        media.add(stick, one, "WARD")
    media.remove(stick, made[1].sop_instance_uid)
    assert there.items() <= leaves(stick).items()
    assert len(leaves(stick)) == len(there) + 2
    assert set(media.verify(stick).problems) <= problems


def test_ours_that_another_program_indexed_anew_is_removed_from_what_it_wrote(make: Make, stick: Path) -> None:
    out, stays = make(), make()
    for one in (out, stays):
        media.add(stick, one, "WARD")
    shutil.copy(make(PatientID="F9").path, stick / "THEIRS")
    dcmmkdir(stick, "+A", "+id", str(stick), "THEIRS")
    media.add(stick, make(), "WARD")
    expected = set(leaves(stick)) - {out.sop_instance_uid}
    media.remove(stick, out.sop_instance_uid)
    for mend in (lambda: None, lambda: media.repair(stick), (stick / "DICOMDIR").unlink):
        mend()
        if not (stick / "DICOMDIR").exists():
            media.repair(stick)
        assert set(leaves(stick)) == expected
        assert media.verify(stick).sound, str(media.verify(stick))
    assert out.sop_instance_uid.encode() not in original.place(stick).read_bytes()


def test_ours_that_pydicom_moved_is_found_where_it_is_now(make: Make, stick: Path) -> None:
    out = make()
    media.add(stick, out, "WARD")
    other = FileSet(stick / "DICOMDIR")
    other.add(make().path)
    other.write()
    name = media.remove(stick, out.sop_instance_uid)
    assert name.startswith("PT")
    assert not (stick / name).exists()
    assert out.sop_instance_uid not in leaves(stick)
    assert media.verify(stick).sound


def test_a_name_that_another_program_gave_to_another_object_since_is_left_alone(make: Make, stick: Path) -> None:
    out, other = make(), make(PatientID="F1")
    name = media.add(stick, out, "WARD").file_id
    media.add(stick, make(), "WARD")
    media.remove(stick, out.sop_instance_uid)
    (stick / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(other.path, stick / name)
    fileset._open.clear()
    media.add(stick, make(), "WARD")
    media.repair(stick)
    assert (stick / name).read_bytes() == Path(other.path).read_bytes()


def test_what_is_not_ours_or_not_there_is_not_removed_and_said(make: Make, stick: Path) -> None:
    theirs = make(PatientID="F1")
    by_dcmmkdir(stick, {"F1": theirs.path})
    media.add(stick, make(), "WARD")
    before = (stick / "DICOMDIR").read_bytes()
    with pytest.raises(Held, match=r"F1 on the medium .* is not what a gateway put there"):
        media.remove(stick, theirs.sop_instance_uid)
    with pytest.raises(Misuse, match="no record on the medium"):
        media.remove(stick, "1.2.3")
    assert (stick / "DICOMDIR").read_bytes() == before
    assert (stick / "F1").exists()


@pytest.mark.parametrize("argument", ["on it", "not on it", "no file-set", "no folder"])
def test_the_command_says_what_it_did_or_why_not(
    argument: str, make: Make, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = make()
    name = media.add(stick, one, "WARD").file_id
    folder = {"no file-set": stick.parent / "spool", "no folder": stick / "none"}.get(argument, stick)
    code = main(["media", "remove", one.sop_instance_uid if argument != "not on it" else "1.2.3", str(folder)])
    said = capsys.readouterr()
    expected: dict[str, tuple[int, str]] = {
        "on it": (0, f"{name} was taken off the medium"),
        "not on it": (2, "names the instance 1.2.3"),
        "no file-set": (2, "is no file-set"),
        "no folder": (3, "there is no medium at"),
    }
    assert code == expected[argument][0]
    assert expected[argument][1] in said.out + said.err


def test_records_that_another_program_left_empty_stay(make: Make, stick: Path) -> None:
    by_hand(stick, "strange")
    one = make(PatientID="F1")
    media.add(stick, one, "WARD")
    media.remove(stick, one.sop_instance_uid)
    kinds = [r.DirectoryRecordType for r in pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence]
    assert kinds.count("PATIENT") == 2
    assert kinds.count("TOPIC") == 1
