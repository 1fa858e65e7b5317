"""The PDI pages of a medium: what they say, of whom, what they cost, and what they never do (IHE RAD TF-3 4.47)."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ecg_files import write_ecg
from pydicom.uid import generate_uid
from transfer.media.pages import addresses, page_of, reached, study_pages, words
from transfer.media.samples import BASIC_TEXT, PDF, SECONDARY_CAPTURE, TWELVE_LEAD, Make

from gateway import fsops
from gateway.errors import GatewayError, Held, Retry
from gateway.transfer import media
from gateway.transfer.media import fileset, pdi
from gateway.transfer.media.pdi import keeping, lists, pictures, refreshing, shelf, studies

ABOUT = pdi.About("St. Example & Sons", "Cardiology", "ECG_ROOM3", "+49 30 1234567", "STD-GEN-USB-JPEG")
NOON = 1_795_000_000.0


def put(stick: Path, make: Make, sop_class: str = TWELVE_LEAD, **values: object) -> str:
    if sop_class == PDF:
        values = {"EncapsulatedDocument": b"%PDF-1.4\n%%EOF\n"} | values
    return media.add(stick, make(sop_class, **values), "WARD_3").file_id


def refresh(stick: Path, **more: bool) -> int:
    return pdi.refresh(stick, ABOUT, now=NOON, **more)


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are written, as they are."""
    found: list[str] = []
    lay, whole = fsops.lay, fsops.write_file

    def lay_and_tell(path: Path, data: bytes) -> None:
        found.append(path.name)
        lay(path, data)

    def write_and_tell(path: Path, data: bytes) -> None:
        found.append(path.name)
        whole(path, data)

    monkeypatch.setattr(fsops, "lay", lay_and_tell)
    monkeypatch.setattr(fsops, "write_file", write_and_tell)
    return found


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The DICOM files of which pictures are drawn."""
    found: list[str] = []
    draw = pictures.picture

    def draw_and_tell(root: Path, file: str, *more: object) -> object:
        found.append(file)
        return draw(root, file, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(pictures, "picture", draw_and_tell)
    return found


def test_everything_on_the_medium_can_be_reached_from_index_htm_and_has_a_name_that_pdi_allows(
    make: Make, stick: Path
) -> None:
    study = generate_uid()
    for sop_class in (TWELVE_LEAD, PDF, SECONDARY_CAPTURE, BASIC_TEXT):
        put(stick, make, sop_class, StudyInstanceUID=study)
    assert refresh(stick) == 4
    mine = {name for name in files(stick) if not name.startswith(("PA0", "GATEWAY/", "DICOMDIR"))}
    assert reached(stick) == mine
    assert {Path(name).suffix for name in mine} == {".HTM", ".TXT", ".CSS", ".SVG", ".PNG", ".PDF"}
    for name in mine:
        assert all(re.fullmatch(r"[A-Z0-9_]{1,8}(\.[A-Z0-9]{3})?", part) for part in name.split("/")), name
    assert not [name for name in files(stick) if "AUTORUN" in name.upper()]


def test_the_page_of_a_study_shows_the_ecg_and_says_whose_it_is_and_what_it_is(make: Make, stick: Path) -> None:
    put(stick, make, PatientName="Müller^Eva^^Dr.", InstitutionName="City Hospital")
    put(stick, make, SECONDARY_CAPTURE, PatientID="P2", PatientName="Roe^Jo")
    refresh(stick)
    page = page_of(stick, "Müller")
    for text in ("Müller, Dr. Eva", "P1", "1 Jan 1970", "female", "23 Nov 2026, 09:30", "A1", "City Hospital"):
        assert text in words(page)
    assert "12-lead ECG · 23 Nov 2026, 09:31" in words(page)
    (sheet,) = {a for a in addresses(page) if a.endswith(".SVG")}
    assert "Müller" in (page.parent / sheet).read_text(), "an ECG sheet without a name is dangerous"
    assert [a for a in addresses(page_of(stick, "Roe")) if a.endswith(".PNG")]
    index = words(stick / "INDEX.HTM")
    for text in ("2 studies", "Müller, Dr. Eva", "St. Example & Sons, Cardiology", "not for diagnosis", "Confidential"):
        assert text in index
    assert index.index("Roe") < index.index("Müller"), "the newest first"


def test_readme_txt_says_who_what_and_where_in_lines_that_any_editor_shows(make: Make, stick: Path) -> None:
    put(stick, make)
    refresh(stick)
    raw = (stick / "README.TXT").read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n") > 20
    text = raw.decode("utf-8")
    assert max(len(line) for line in text.splitlines()) <= 78
    for part in (
        "St. Example & Sons, Cardiology", "+49 30 1234567", "ECG_ROOM3", "modality gateway, version", "WARD_3",
        "STD-GEN-USB-JPEG", "DICOMDIR", "INDEX.HTM", "nothing on it starts by itself", "not for diagnosis",
        "confidential",
    ):  # fmt: skip
        assert part in " ".join(text.split()), part


def test_readme_txt_states_the_profile_that_the_file_set_has_not_the_one_configured_now(
    make: Make, stick: Path
) -> None:
    media.add(stick, make(), "WARD_3", profile="none")
    refresh(stick)
    assert "claims no application profile" in (stick / "README.TXT").read_text()


@pytest.mark.parametrize(
    ("charset", "name", "shown"),
    [
        ("ISO_IR 192", "山田^太郎", "山田, 太郎"),
        ("ISO_IR 100", "Müller^Ñusta", "Müller, Ñusta"),
        ("ISO_IR 144", "Люк^Жанна", "Люк, Жанна"),
        ("ISO_IR 126", "Διονυσιος", "Διονυσιος"),
        ("GB18030", "王^小东", "王, 小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "Yamada, Tarou (山田, 太郎)"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞", "Hong, Gildong (洪, 吉洞)"),
    ],
)
def test_names_of_any_character_set_are_readable(
    make: Make, stick: Path, charset: str | list[str], name: str, shown: str
) -> None:
    put(stick, make, SpecificCharacterSet=charset, PatientName=name)
    refresh(stick)
    assert shown in words(stick / "INDEX.HTM")
    assert shown in words(study_pages(stick)[0])


HOSTILE = "<script>alert(1)</script>\"'&]]><img src=http://evil.example/x onerror=alert(2)>\u202egpj"


def test_hostile_values_are_words_on_the_page_and_nothing_else(make: Make, stick: Path) -> None:
    study = generate_uid()
    hostile = {"PatientName": HOSTILE, "PatientID": HOSTILE[:60], "StudyDescription": HOSTILE[:60], "StudyID": "<b>"}
    for sop_class in (TWELVE_LEAD, PDF):
        put(stick, make, sop_class, StudyInstanceUID=study, InstitutionName=HOSTILE[:60], **hostile)
    put(stick, make, PDF, StudyInstanceUID=study, DocumentTitle="</h2><script>", **hostile)
    refresh(stick)
    reached(stick)  # parses every page, finds no script, no handler, no address that leads out
    for page in (stick / "INDEX.HTM", *study_pages(stick)):
        assert "<script>alert(1)</script>" in words(page)
        assert "\u202e" not in page.read_text()


def test_a_file_id_that_climbs_out_of_the_medium_or_through_a_link_is_not_opened(
    make: Make, stick: Path, tmp_path: Path, drawn: list[str]
) -> None:
    put(stick, make, SECONDARY_CAPTURE)
    put(stick, make, SECONDARY_CAPTURE, PatientID="P2", PatientName="Linked^Jo")
    secret = tmp_path / "SECRET"
    (stick / "PA000002").rename(secret)
    (stick / "PA000002").symlink_to(secret)
    directory = (stick / "DICOMDIR").read_bytes()
    inside = b"PA000001\\ST000001\\SE000001\\IN000001"
    climbing = directory.replace(inside, rb"..\..\..\..\..\..\..\..\etc\passwd".ljust(len(inside)))
    assert climbing != directory
    (stick / "DICOMDIR").write_bytes(climbing)
    refresh(stick)
    assert not list(stick.glob("IHE_PDI/*/*/*.PNG"))
    assert "No preview" in words(page_of(stick, "Linked"))


def test_the_pages_work_when_the_medium_is_mounted_elsewhere_and_read_only(
    make: Make, stick: Path, tmp_path: Path
) -> None:
    for number in range(3):
        put(stick, make, PatientID=f"P{number}")
    refresh(stick)
    elsewhere = tmp_path / "E drive"
    shutil.copytree(stick, elsewhere)
    for path in sorted(elsewhere.rglob("*"), reverse=True):
        path.chmod(0o500 if path.is_dir() else 0o400)
    stick.rename(tmp_path / "gone")
    assert len(reached(elsewhere)) == 2 + 1 + 3 * 2
    for name, data in files(elsewhere).items():
        assert str(tmp_path).encode() not in data, f"{name} names a place of this machine"


def test_the_dicom_part_is_not_touched_and_all_judges_still_find_it_sound(
    make: Make, stick: Path, judge: Callable[..., str]
) -> None:
    for sop_class in (TWELVE_LEAD, PDF, SECONDARY_CAPTURE):
        put(stick, make, sop_class)
    before = files(stick)
    dicom = sorted(str(p) for p in stick.glob("PA*/*/*/IN*"))
    said = judge("dcentvfy", *dicom), judge("dcdirdmp", str(stick / "DICOMDIR"))
    refresh(stick)
    assert {name: data for name, data in files(stick).items() if name in before} == before
    assert (judge("dcentvfy", *dicom), judge("dcdirdmp", str(stick / "DICOMDIR"))) == said
    assert media.verify(stick).sound
    put(stick, make)
    assert media.verify(stick).sound
    assert media.repair(stick).instances == 4


def test_a_new_instance_rewrites_only_its_own_pages_and_what_lists_them(
    make: Make, stick: Path, written: list[str], drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_PER_LIST", 5)
    for number in range(20):
        put(stick, make, PatientID=f"P{number}", PatientName=f"No{number}^A")
    assert refresh(stick) == 20
    assert len(drawn) == 20
    written.clear(), drawn.clear()
    assert refresh(stick) == 0
    assert not written
    put(stick, make, PatientID="P20", PatientName="No20^A")
    written.clear()
    assert refresh(stick) == 1
    assert len(drawn) == 1
    assert sorted(written) == sorted(
        ["INDEX.HTM", "LIST0005.HTM", "PG000001.HTM", next(n for n in written if "SVG" in n)]
    )
    index = words(stick / "INDEX.HTM")
    assert "The newest 5 of 21 studies" in index
    assert "No20" in index and "No15" not in index
    assert "No15" in words(stick / "IHE_PDI/LIST0004.HTM")
    reached(stick)


def test_an_instance_that_joins_its_study_draws_one_picture_and_a_long_study_has_several_pages(
    make: Make, stick: Path, written: list[str], drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "_PER_PAGE", 3)
    study, series = generate_uid(), generate_uid()
    for number in range(1, 10):
        put(stick, make, StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number)
        written.clear(), drawn.clear()
        assert refresh(stick) == 1
        assert len(drawn) == 1
        pages = {name for name in written if name.startswith("PG")}
        new, last = (number - 1) // 3 + 1, max(number - 2, 0) // 3 + 1
        assert pages == {f"PG{n:06}.HTM" for n in {new, last}}, "the page before a new one gets a link to it"
    found = study_pages(stick)
    assert [page.name for page in found] == ["PG000001.HTM", "PG000002.HTM", "PG000003.HTM"]
    pictures_shown = [a for page in found for a in addresses(page) if a.endswith(".SVG")]
    assert len(set(pictures_shown)) == 9
    reached(stick)


def test_what_is_on_the_medium_no_more_leaves_no_page_and_no_picture(make: Make, stick: Path) -> None:
    study = generate_uid()
    gone = put(stick, make, PatientID="P1", PatientName="Gone^Jo")
    put(stick, make, PatientID="P2", PatientName="Stays^Jo", StudyInstanceUID=study)
    half = put(stick, make, PatientID="P2", PatientName="Stays^Jo", StudyInstanceUID=study)
    refresh(stick)
    for file_id in (gone, half):
        (stick / file_id).unlink()
    media.repair(stick)
    refresh(stick)
    assert "Gone" not in words(stick / "INDEX.HTM")
    assert len(list(stick.glob("IHE_PDI/??/????????"))) == 1
    assert len(list(stick.glob("IHE_PDI/*/*/*.SVG"))) == 1
    reached(stick)
    fileset._open.clear()


class Cut(BaseException):
    """The power goes."""


def test_after_a_cut_at_any_step_the_next_refresh_makes_the_pages_that_no_cut_would_have_made(
    make: Make, stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        put(stick, make, PatientID=f"P{number}")
    refresh(stick)
    put(stick, make, PatientID="P1", StudyInstanceUID="1.2.3")
    put(stick, make, SECONDARY_CAPTURE, PatientID="P9")
    whole = tmp_path / "whole"
    shutil.copytree(stick, whole)
    refresh(whole)
    wanted = {name: data for name, data in files(whole).items() if not name.startswith("GATEWAY/")}
    steps = _steps(stick, tmp_path / "count", monkeypatch, 10**9)
    assert steps > 10
    for step in range(1, steps + 1):
        for torn in (False, True):
            copy = tmp_path / f"cut{step}{torn}"
            _steps(stick, copy, monkeypatch, step, torn)
            for name, data in files(stick).items():
                if name.startswith(("PA0", "DICOMDIR")):
                    assert (copy / name).read_bytes() == data
            refresh(copy)
            found = {name: data for name, data in files(copy).items() if not name.startswith("GATEWAY/")}
            assert found == wanted, f"cut at step {step}"
            shutil.rmtree(copy)


def _steps(stick: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int, torn: bool = False) -> int:
    """Refresh a copy of ``stick``, cut at the n-th durable step; ``torn``: what was not synced then is lost in part."""
    shutil.copytree(stick, copy)
    count, unsynced = 0, set[Path]()
    lay = fsops.lay

    def lay_and_note(path: Path, data: bytes) -> None:
        lay(path, data)
        unsynced.add(path)

    def watch(when: str, what: str, where: str) -> None:
        nonlocal count
        if when == "after" and what == "fsync":
            unsynced.discard(Path(where))
        if when == "before":
            count += 1
            if count == cut_at:
                raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(fsops, "lay", lay_and_note)
        patched.setattr(fsops, "watch", watch)
        try:
            refresh(copy)
        except Cut:
            for path in unsynced if torn else ():
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return count


def test_a_page_that_got_lost_is_made_again_by_hand(make: Make, stick: Path) -> None:
    put(stick, make)
    refresh(stick)
    (page,) = study_pages(stick)
    (stick / "INDEX.HTM").unlink()
    refresh(stick)
    assert (stick / "INDEX.HTM").is_file()
    page.unlink()
    assert refresh(stick) == 0
    assert refresh(stick, check=True) == 1
    assert page.is_file()
    assert refresh(stick, anew=True) == 1


def test_on_a_nearly_full_medium_dicom_has_priority_and_that_is_said_once(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(stick, make)
    refresh(stick)
    free = shutil.disk_usage(stick)._replace(free=shelf.KEPT_FREE - 1)
    monkeypatch.setattr(shelf.shutil, "disk_usage", lambda _path: free)
    for number in range(2, 4):
        put(stick, make, PatientID=f"P{number}", PatientName=f"Late{number}")
        assert refresh(stick) == 0
    assert len([r for r in caplog.records if "little room left" in r.message]) == 1
    assert "Late2" in words(stick / "INDEX.HTM"), "it is listed, without a link"
    assert len(study_pages(stick)) == 1
    put(stick, make, PatientID="P4")
    monkeypatch.setattr(shelf.shutil, "disk_usage", lambda _path: free._replace(free=0))
    assert refresh(stick) == 0
    assert media.verify(stick).sound
    monkeypatch.undo()
    assert refresh(stick) == 3
    reached(stick)


def test_a_medium_that_fails_while_pages_are_written_says_so_and_keeps_no_torn_picture(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stick, make)
    monkeypatch.setattr(fsops, "write_all", _failing)
    with pytest.raises(Retry, match="is full"):
        refresh(stick)
    monkeypatch.undo()
    assert not list(stick.rglob(".*.part"))
    assert refresh(stick) == 1


def _failing(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_index_and_readme_of_somebody_else_stay_and_ours_stand_beside_our_pages(
    make: Make, stick: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (stick / "INDEX.HTM").write_text("<html>theirs</html>")
    (stick / "README.TXT").write_text("theirs")
    put(stick, make)
    refresh(stick)
    refresh(stick)
    assert (stick / "INDEX.HTM").read_text() == "<html>theirs</html>"
    assert (stick / "README.TXT").read_text() == "theirs"
    ours = stick / "IHE_PDI" / "INDEX.HTM"
    for address in addresses(ours):
        assert (ours.parent / address).is_file()
    (page,) = study_pages(stick)
    for address in addresses(page):
        assert (page.parent / address).is_file()
    assert len([r for r in caplog.records if "it is left as it is" in r.message]) == 2


@pytest.mark.parametrize("theirs", ["file", "folder", "link"])
def test_an_ihe_pdi_of_somebody_else_is_left_alone(make: Make, stick: Path, tmp_path: Path, theirs: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if theirs == "file":
        (stick / "IHE_PDI").write_text("theirs")
    elif theirs == "link":
        (stick / "IHE_PDI").symlink_to(outside)
    else:
        (stick / "IHE_PDI").mkdir()
        (stick / "IHE_PDI" / "PAGE.HTM").write_text("theirs")
    put(stick, make)
    before = files(stick)
    with pytest.raises(Held, match="made by another program"):
        refresh(stick)
    assert {n: d for n, d in files(stick).items() if n != "GATEWAY/LOCK"} == {
        n: d for n, d in before.items() if n != "GATEWAY/LOCK"
    }
    assert not list(outside.iterdir())
    assert media.verify(stick).sound


def test_a_link_within_our_pages_is_not_followed(make: Make, stick: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(stick, make)
    refresh(stick)
    (page,) = study_pages(stick)
    shutil.rmtree(page.parent)
    page.parent.symlink_to(outside)
    with pytest.raises(Held, match="is a link"):
        refresh(stick, anew=True)
    (stick / "GATEWAY" / "PAGES.TXT").unlink()
    (stick / "GATEWAY" / "PAGES.TXT").symlink_to(outside / "state")
    with pytest.raises(Held, match="is a link"):
        refresh(stick)
    assert not list(outside.iterdir())


def test_a_damaged_directory_leaves_the_pages_as_they_are_and_says_so(make: Make, stick: Path) -> None:
    put(stick, make)
    refresh(stick)
    before = (stick / "INDEX.HTM").read_bytes()
    (stick / "DICOMDIR").write_bytes((stick / "DICOMDIR").read_bytes()[:600])
    with pytest.raises(Held, match="is not sound"):
        refresh(stick)
    assert (stick / "INDEX.HTM").read_bytes() == before


def test_no_directory_hangs_or_breaks_the_pages_whatever_its_bytes(make: Make, stick: Path) -> None:
    import random  # noqa: PLC0415

    for number in range(3):
        put(stick, make, SECONDARY_CAPTURE, PatientID=f"P{number}")
    sound = (stick / "DICOMDIR").read_bytes()
    end = sound.index(b"\xfc\xff\xfc\xffOB\0\0", 2000) if b"\xfc\xff\xfc\xffOB\0\0" in sound[2000:] else 3000
    rng = random.Random(4)
    for _ in range(400):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(300, end)] = rng.randrange(256)
        (stick / "DICOMDIR").write_bytes(data)
        try:
            refresh(stick)
        except GatewayError as error:
            assert "is not sound" in str(error)
    (stick / "DICOMDIR").write_bytes(sound)
    refresh(stick)
    reached(stick)


def test_links_that_turn_in_a_circle_end(make: Make, stick: Path) -> None:
    study, series = generate_uid(), generate_uid()
    for number in range(3):
        put(stick, make, SECONDARY_CAPTURE, StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number)
    import pydicom  # noqa: PLC0415

    records = pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence
    first, *_, last = [r for r in records if r.DirectoryRecordType == "IMAGE"]
    data = bytearray((stick / "DICOMDIR").read_bytes())
    at = data.index(first.seq_item_tell.to_bytes(4, "little"), 300)
    assert at
    where = first.seq_item_tell + 16  # the value of (0004,1400) in the first IMAGE record, the last of its chain
    data[where : where + 4] = int(last.seq_item_tell).to_bytes(4, "little")
    (stick / "DICOMDIR").write_bytes(data)
    assert refresh(stick) == 3


def test_the_carrier_gets_pages_only_when_the_directory_changed_and_not_all_the_time(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, calls = 1000.0, []

    def slow(root: Path, *_: object, **__: object) -> int:
        nonlocal now
        now += 3.0
        calls.append(root)
        return 1

    monkeypatch.setattr(keeping, "refresh", slow)
    pages = pdi.Pages(ABOUT, lambda: now)
    assert pages.turn(stick), "nothing is there yet"
    put(stick, make)
    assert pages.turn(stick)
    now += 100
    assert pages.turn(stick), "nothing changed"
    assert len(calls) == 1
    put(stick, make)
    now -= 80
    assert not pages.turn(stick), "three seconds of work are paid for by a minute"
    now += 60
    assert pages.turn(stick)
    assert len(calls) == 2
    put(stick, make)
    assert pages.turn(stick, at_once=True), "who takes the stick out does not wait for that"
    assert len(calls) == 3


def test_a_failure_of_the_pages_is_said_once_and_stops_nobody(
    make: Make, stick: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (stick / "IHE_PDI").write_text("theirs")
    put(stick, make)
    now = 0.0
    pages = pdi.Pages(ABOUT, lambda: now)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert not pages.turn(stick)
            now += 61
    assert len([r for r in caplog.records if "made by another program" in r.message]) == 1


def test_nothing_but_drawing_loads_pydicom_or_numpy(make: Make, stick: Path) -> None:
    put(stick, make)
    refresh(stick)
    program = (
        "import pathlib, sys\n"
        "from gateway.transfer.media import pdi\n"
        f"assert pdi.refresh(pathlib.Path({str(stick)!r}), pdi.About()) == 0\n"
        "print([m for m in ('pydicom', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_gateway_media_pages_makes_them_by_hand(make: Make, stick: Path, tmp_path: Path) -> None:
    put(stick, make)
    command = [
        str(Path(sys.executable).with_name("gateway")),
        "--config",
        str(tmp_path / "none.toml"),
        "media",
        "pages",
    ]
    said = [subprocess.run([*command, str(stick)], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert "1 instances got their place" in said[0]
    assert "up to date" in said[1]
    refused = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "is no file-set" in refused.stderr
    reached(stick)


def test_recordings_with_many_channels_or_absurd_rates_get_no_sheet(tmp_path: Path, stick: Path) -> None:
    import pydicom  # noqa: PLC0415

    ref = write_ecg(tmp_path / "spool")
    media.add(stick, ref, "WARD_3")
    (file,) = stick.glob("PA*/*/*/IN*")
    assert pictures.picture(stick, file.relative_to(stick).as_posix(), "WAVEFORM") is not None
    ds = pydicom.dcmread(file)
    ds.WaveformSequence[0].SamplingFrequency = "1e9"
    ds.save_as(file)
    assert pictures.picture(stick, file.relative_to(stick).as_posix(), "WAVEFORM") is None


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Said once is said once in a process; each test is one of its own."""
    refreshing._said.clear()
    yield
    fileset._open.clear()
