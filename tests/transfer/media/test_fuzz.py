"""Three hundred of the mutations of ``make fuzz``, and what it has found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from transfer.media.foreign import by_dcmmkdir, three
from transfer.media.samples import Make

from gateway.transfer import media
from gateway.transfer.media import fileset, hashes

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fuzz import media as fuzz


def test_three_hundred_lying_media_hang_nothing_crash_nothing_and_lose_nothing(tmp_path: Path) -> None:
    counts = fuzz.run(300, seed=7, first=0, work=tmp_path, keep=tmp_path / "kept")
    assert (counts["hangs"], counts["crashes"]) == (0, 0), sorted((tmp_path / "kept").iterdir())
    assert min(counts["refused"], counts["accepted"]) > 50


def test_the_fuzzer_notices_a_crash_a_hang_and_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative controls: of what it is there to find."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a defect")

    def endless(*_: object, **__: object) -> None:
        while True:
            fuzz.Window(None, bytes(8)).spend(1000)

    def careless(root: Path) -> None:
        for path in root.glob("*/*/*/IN*"):
            path.unlink()

    for number, (defect, name) in enumerate(((broken, "crashes"), (endless, "hangs"), (careless, "crashes"))):
        with monkeypatch.context() as patched:
            patched.setattr(media, "repair", defect)
            work = tmp_path / str(number)
            work.mkdir()
            counts = fuzz.run(12, seed=1, first=0, work=work, keep=work / "kept")
        assert counts[name] > 0, (defect, counts)


def test_a_file_of_ours_whose_record_was_damaged_is_not_written_over_by_the_next_instance(
    make: Make, tmp_path: Path
) -> None:
    """Its record said PATIENT instead of WAVEFORM, so nobody knew any more that the name was taken."""
    root = tmp_path / "stick"
    root.mkdir()
    by_dcmmkdir(root, three(make))
    file_id = media.add(root, make(PatientID="P2"), "WARD").file_id
    path, before = root / "DICOMDIR", (root / file_id).read_bytes()
    data = path.read_bytes()
    at = data.rindex(b"CS\x08\0WAVEFORM", 0, data.index(file_id.replace("/", "\\").encode()))
    path.write_bytes(data[: at + 4] + b"PATIENT " + data[at + 12 :])
    fileset._open.clear()
    media.add(root, make(PatientID="P3"), "WARD")
    assert (root / file_id).read_bytes() == before
    assert hashes.remembered(root)[file_id] == hashes.of_file(root / file_id)


@pytest.mark.parametrize("name", [b"W\xffRD", b"w\x1bRD"])
def test_the_name_of_a_damaged_file_set_is_not_believed_into_a_new_one(name: bytes, make: Make, stick: Path) -> None:
    media.add(stick, make(), "WARD")
    path = stick / "DICOMDIR"
    path.write_bytes(path.read_bytes().replace(b"CS\4\0WARD", b"CS\4\0" + name, 1)[:-20])
    fileset._open.clear()
    media.repair(stick, "AGAIN")
    assert media.status(stick).file_set_id == "AGAIN"
    assert media.verify(stick).sound
