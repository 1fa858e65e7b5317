"""What others read from our DICOMDIR: DCMTK, dicom3tools and pydicom say the same as we do."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid
from transfer.media.samples import BASIC_TEXT, GENERAL, GENERAL_32, PDF, SECONDARY_CAPTURE, TWELVE_LEAD, Make

from gateway.transfer import media

Judge = Callable[..., str]


@pytest.fixture
def many(make: Make, stick: Path) -> Path:
    """Three patients, five studies, every record type, Unicode names."""
    study, series = generate_uid(), generate_uid()
    for number in range(1, 4):
        media.add(stick, make(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number), "WARD_1")
    media.add(stick, make(GENERAL, StudyInstanceUID=study, SeriesNumber=2), "WARD_1")
    media.add(stick, make(GENERAL_32, PatientID="P2", PatientName="山田^太郎"), "WARD_1")
    media.add(stick, make(PDF, PatientID="P2", PatientName="山田^太郎"), "WARD_1")
    media.add(
        stick, make(BASIC_TEXT, PatientID="P3", PatientName="Müller^Ñ", SpecificCharacterSet="ISO_IR 100"), "WARD_1"
    )
    media.add(stick, make(SECONDARY_CAPTURE, PatientID="P3", PatientName="Müller^Ñ"), "WARD_1")
    return stick


def tree(root: Path) -> set[tuple[str, str, str, str, str, str]]:
    """(Patient ID, study, series, record type, SOP Instance UID, File ID) as pydicom reads plain records."""
    found = set()
    ds = pydicom.dcmread(root / "DICOMDIR")
    by_offset = {item.seq_item_tell: item for item in ds.DirectoryRecordSequence}

    def children(offset: int):
        while offset:
            yield by_offset[offset]
            offset = by_offset[offset].OffsetOfTheNextDirectoryRecord

    for patient in children(ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity):
        for study in children(patient.OffsetOfReferencedLowerLevelDirectoryEntity):
            for series in children(study.OffsetOfReferencedLowerLevelDirectoryEntity):
                for leaf in children(series.OffsetOfReferencedLowerLevelDirectoryEntity):
                    name = leaf.ReferencedFileID
                    file_id = name if isinstance(name, str) else "/".join(name)
                    above = (patient.PatientID, study.StudyInstanceUID, series.SeriesInstanceUID)
                    found.add((*above, leaf.DirectoryRecordType, leaf.ReferencedSOPInstanceUIDInFile, file_id))
    return found


def test_dcdirdmp_lists_every_instance_under_its_patient_with_the_right_record_type(many: Path, judge: Judge) -> None:
    said = judge("dcdirdmp", str(many / "DICOMDIR"))
    assert re.findall(r"\b(WAVEFORM|ENCAP DOC|SR DOCUMENT|IMAGE)\b", said).count("WAVEFORM") == 5
    assert all(said.count(kind) == 1 for kind in ("ENCAP DOC", "SR DOCUMENT", "IMAGE"))
    p2 = said[said.index("P2") :]
    p2 = p2[: p2.index("\nPATIENT")] if "\nPATIENT" in p2 else p2
    assert "WAVEFORM" in p2
    assert "山田^太郎" in said


def test_dciodvfy_finds_no_error(many: Path, judge: Judge) -> None:
    said = judge("dciodvfy", str(many / "DICOMDIR"))
    assert "BasicDirectory" in said
    assert "Error" not in said


def test_pydicoms_file_set_reads_the_same_instances(many: Path) -> None:
    found = {(i.PatientID, i.StudyInstanceUID, i.SOPInstanceUID, str(i.path)) for i in FileSet(many / "DICOMDIR")}
    assert found == {(t[0], t[1], t[4], str(many / t[5])) for t in tree(many)}
    assert len(found) == 8
    assert FileSet(many / "DICOMDIR").ID == "WARD_1"


def test_names_in_any_character_set_arrive_unharmed(many: Path) -> None:
    records = pydicom.dcmread(many / "DICOMDIR").DirectoryRecordSequence
    patients = {r.PatientID: (str(r.PatientName), r.get("SpecificCharacterSet")) for r in records if "PatientID" in r}
    assert patients == {
        "P1": ("Doe^Jane", None),
        "P2": ("山田^太郎", "ISO_IR 192"),
        "P3": ("Müller^Ñ", "ISO_IR 100"),
    }


def test_dcmmkdir_makes_the_same_tree_of_the_same_files(many: Path, tmp_path: Path, judge: Judge) -> None:
    reference = tmp_path / "reference"
    shutil.copytree(many, reference, ignore=shutil.ignore_patterns("DICOMDIR", "GATEWAY"))
    by_class = {t[4]: t for t in tree(many)}
    indexable = {uid for uid in by_class if _sop_class(many / by_class[uid][5]) != GENERAL_32}  # dcmmkdir refuses it
    files = sorted(by_class[uid][5] for uid in indexable)
    judge("dcmmkdir", "-Pfl", "+id", str(reference), "+D", str(reference / "DICOMDIR"), *files)
    assert tree(reference) == {t for t in tree(many) if t[4] in indexable}


def test_our_checker_finds_no_fault_in_a_directory_of_dcmmkdir(make: Make, tmp_path: Path, judge: Judge) -> None:
    root = tmp_path / "foreign"
    root.mkdir()
    for i in range(3):
        shutil.copy(make(TWELVE_LEAD).path, root / f"ECG{i}")
    judge("dcmmkdir", "-Pfl", "+id", str(root), "+D", str(root / "DICOMDIR"), "ECG0", "ECG1", "ECG2")
    report = media.verify(root)
    assert report.sound, str(report)
    assert report.counts["WAVEFORM"] == 3


def _sop_class(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPClassUID)
