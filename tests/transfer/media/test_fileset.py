"""Adding to a file-set: what is filed where, what is refused, and in which words."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from transfer.media.samples import GENERAL_32, TWELVE_LEAD, Make, data_set, write

from gateway import fsops
from gateway.errors import Held, Retry
from gateway.transfer import media
from gateway.transfer.media import fileset, hashes


def records(root: Path) -> list[pydicom.Dataset]:
    return list(pydicom.dcmread(root / "DICOMDIR").DirectoryRecordSequence)


def test_the_file_lies_unchanged_under_a_file_id_of_eight_upper_case_characters(make: Make, stick: Path) -> None:
    instance = make()
    file_id = media.add(stick, instance, "WARD").file_id
    assert re.fullmatch(r"([A-Z0-9_]{1,8}/){3}[A-Z0-9_]{1,8}", file_id)
    assert (stick / file_id).read_bytes() == Path(instance.path).read_bytes()


def test_adding_the_same_instance_again_changes_nothing(make: Make, stick: Path) -> None:
    instance, other = make(), make()
    file_id = media.add(stick, instance, "WARD").file_id
    media.add(stick, other, "WARD")
    before = {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()}
    assert media.add(stick, instance, "WARD").file_id == file_id
    fileset._open.clear()
    assert media.add(stick, instance, "WARD").file_id == file_id
    assert {path: path.read_bytes() for path in stick.rglob("*") if path.is_file()} == before


def test_a_large_file_is_synced_as_it_is_copied_and_each_block_is_progress(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = make(EncapsulatedDocument=bytes(6 << 20))
    monkeypatch.setattr(hashes, "_SYNC_EVERY", 2 << 20)
    steps: list[str] = []
    monkeypatch.setattr(fsops, "watch", lambda when, what, where: steps.append(what) if when == "after" else None)
    file_id = media.add(stick, instance, "WARD", lambda: steps.append("beat")).file_id
    assert steps.count("beat") >= 2 * 6  # written, and read back
    copied = steps[: steps.index("rename", steps.index("beat"))]
    assert copied[copied.index("beat") :].count("fsync") >= 3
    assert (stick / file_id).stat().st_size > 6 << 20


def test_instances_share_the_records_of_their_patient_study_and_series(make: Make, stick: Path) -> None:
    study, series = generate_uid(), generate_uid()
    for number in (1, 2):
        media.add(stick, make(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number), "WARD")
    fileset._open.clear()  # as after a restart
    media.add(stick, make(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=3), "WARD")
    kinds = [record.DirectoryRecordType for record in records(stick)]
    assert sorted(kinds) == ["PATIENT", "SERIES", "STUDY", "WAVEFORM", "WAVEFORM", "WAVEFORM"]


def test_keys_that_the_directory_requires_and_the_instance_leaves_empty_are_supplied(make: Make, stick: Path) -> None:
    bare = {"PatientID": "", "PatientName": "", "StudyDate": "", "StudyTime": "", "StudyID": "", "SeriesNumber": None}
    media.add(stick, make(**bare), "WARD")
    media.add(stick, make(**bare), "WARD")
    found = records(stick)
    patients = [r.PatientID for r in found if r.DirectoryRecordType == "PATIENT"]
    assert len(set(patients)) == 2, "two patients without an ID never share a record"
    study = next(r for r in found if r.DirectoryRecordType == "STUDY")
    assert (study.StudyDate, study.StudyTime, study.StudyID) == ("20261123", "093100", "A1")
    assert next(r for r in found if r.DirectoryRecordType == "SERIES").SeriesNumber == 0
    assert media.verify(stick).sound


def test_a_patient_id_that_another_person_has_is_held(make: Make, stick: Path) -> None:
    media.add(stick, make(IssuerOfPatientID="A", PatientBirthDate="19700101"), "WARD")
    for other in ({"IssuerOfPatientID": "B"}, {"IssuerOfPatientID": "A", "PatientBirthDate": "19800101"}):
        with pytest.raises(Held, match="another patient with the same Patient ID"):
            media.add(stick, make(**other), "WARD")
    media.add(stick, make(PatientBirthDate="", PatientName="Doe-Smith^Jane"), "WARD")
    assert media.verify(stick).counts["PATIENT"] == 1


def test_what_does_not_fit_the_media_profiles_is_held(make: Make, stick: Path, tmp_path: Path) -> None:
    implicit = write(tmp_path, data_set(), ImplicitVRLittleEndian)
    unknown = make("1.2.840.10008.5.1.4.1.1.481.2")
    for instance, words in ((implicit, "transfer syntax 1.2.840.10008.1.2,"), (unknown, "no directory record type")):
        with pytest.raises(Held, match=re.escape(words)):
            media.add(stick, instance, "WARD")
    assert not (stick / "DICOMDIR").exists()


def test_a_missing_medium_says_so(make: Make, tmp_path: Path) -> None:
    for attempt in (
        lambda: media.add(tmp_path / "none", make(), "WARD"),
        lambda: media.verify(tmp_path / "none"),
        lambda: media.status(tmp_path / "none"),
        lambda: media.repair(tmp_path / "none"),
    ):
        with pytest.raises(Retry, match="there is no medium at"):
            attempt()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "is full"), (errno.EROFS, "is write-protected"), (errno.EIO, "does not take or give data")],
)
def test_a_failing_medium_says_what_to_do_and_stays_sound(
    number: int, words: str, make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(), make()
    media.add(stick, first, "WARD")
    real = os.replace

    def fail(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fsops.os, "replace", fail)
    with pytest.raises(Retry, match=words):
        media.add(stick, second, "WARD")
    monkeypatch.setattr(fsops.os, "replace", real)
    assert media.verify(stick).sound
    media.add(stick, second, "WARD")
    assert media.verify(stick).sound


def test_too_little_room_is_noticed_before_anything_is_written(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media.add(stick, make(), "WARD")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(fileset.shutil, "disk_usage", lambda _root: usage)
    before = sorted(stick.rglob("*"))
    with pytest.raises(Retry, match="is full: 0 MiB free"):
        media.add(stick, make(), "WARD")
    assert sorted(stick.rglob("*")) == before


def test_a_medium_that_gives_back_other_data_than_it_took_is_refused(
    make: Make, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fileset.hashes, "of_file", lambda *_: "0" * 64)
    with pytest.raises(Retry, match="gives back other data"):
        media.add(stick, make(), "WARD")
    assert not (stick / "DICOMDIR").exists()


def test_no_file_is_readable_by_other_users(make: Make, stick: Path) -> None:
    media.add(stick, make(), "WARD")
    assert {p.stat().st_mode & 0o077 for p in stick.rglob("*")} == {0}


def test_the_hash_file_is_one_that_sha256sum_checks(make: Make, stick: Path) -> None:
    media.add(stick, make(TWELVE_LEAD), "WARD")
    media.add(stick, make(GENERAL_32), "WARD")
    assert os.system(f"cd {stick} && sha256sum --strict --status -c GATEWAY/SHA256.TXT") == 0


def test_the_status_counts_what_is_there(make: Make, stick: Path) -> None:
    assert "no DICOMDIR yet" in str(media.status(stick))
    media.add(stick, make(), "WARD")
    media.add(stick, make(PatientID="P2"), "WARD")
    assert "file-set WARD: 2 instances of 2 patients" in str(media.status(stick))


def test_what_is_said_of_a_copy_is_what_the_medium_gives_back(make: Make, stick: Path) -> None:
    instance = make()
    for _ in range(2):  # copied, then found there
        filed = media.add(stick, instance, "WARD")
        assert filed.sha256 == hashlib.sha256((stick / filed.file_id).read_bytes()).hexdigest()
        assert filed.file_set_id == "WARD"
        assert filed.file_set_uid == pydicom.dcmread(stick / "DICOMDIR").file_meta.MediaStorageSOPInstanceUID


def test_a_copy_that_rotted_meanwhile_is_not_taken_for_one(make: Make, stick: Path) -> None:
    instance = make()
    file_id = media.add(stick, instance, "WARD").file_id
    rotten = bytearray((stick / file_id).read_bytes())
    rotten[-3] ^= 1
    (stick / file_id).write_bytes(rotten)
    again = media.add(stick, instance, "WARD")
    assert again.file_id != file_id
    assert (stick / again.file_id).read_bytes() == Path(instance.path).read_bytes()


def test_a_rebuilt_file_set_is_still_the_same(make: Make, stick: Path) -> None:
    uid = media.add(stick, make(), "WARD").file_set_uid
    media.repair(stick)
    assert media.add(stick, make(), "OTHER").file_set_uid == uid


def test_looking_tells_what_is_there_and_writes_nothing_to_a_medium_without_a_file_set(make: Make, stick: Path) -> None:
    assert media.look(stick, "WARD") is None
    assert list(stick.iterdir()) == []
    filed = media.add(stick, make(), "WARD")
    media.forget(stick)
    assert media.look(stick, "OTHER") == media.FileSet("WARD", filed.file_set_uid, 1)


def test_looking_mends_a_directory_that_was_cut(make: Make, stick: Path) -> None:
    media.add(stick, make(), "WARD")
    data = (stick / "DICOMDIR").read_bytes()
    (stick / "DICOMDIR").write_bytes(data[:-40])
    media.forget(stick)
    found = media.look(stick, "WARD")
    assert found is not None
    assert found.instances == 1
    assert media.verify(stick).sound
