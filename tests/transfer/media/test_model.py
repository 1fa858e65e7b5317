"""Any sequence of adding, restarting, damaging and repairing leaves what a plain dictionary says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pydicom
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydicom.fileset import FileSet
from transfer.media.samples import GENERAL, GENERAL_32, PDF, SECONDARY_CAPTURE, TWELVE_LEAD, data_set, write

from gateway.model import InstanceRef
from gateway.transfer import media
from gateway.transfer.media import fileset
from gateway.transfer.media.dicomdir import layout

CLASSES = [TWELVE_LEAD, GENERAL, GENERAL_32, PDF, SECONDARY_CAPTURE]
_SMALLEST = layout.SMALLEST_RESERVE


class Stick(RuleBasedStateMachine):
    @initialize(reserve=st.sampled_from([300, 3000, _SMALLEST]))
    def begin(self, reserve: int) -> None:
        layout.SMALLEST_RESERVE = reserve
        self.folder = Path(tempfile.mkdtemp())
        self.stick = self.folder / "stick"
        self.stick.mkdir()
        self.filed: dict[str, tuple[str, str, str, str]] = {}  # UID -> File ID, patient, study, series
        self.made: list[InstanceRef] = []

    def teardown(self) -> None:
        layout.SMALLEST_RESERVE = _SMALLEST
        fileset._open.clear()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(
        patient=st.sampled_from("ABC"),
        study=st.integers(1, 2),
        series=st.integers(1, 2),
        sop_class=st.sampled_from(CLASSES),
        name=st.sampled_from(["Doe^J", "Ñuñez^José", "김^희중"]),
    )
    def add(self, patient: str, study: int, series: int, sop_class: str, name: str) -> None:
        study_uid = f"1.2.{ord(patient)}.{study}"
        series_uid = f"{study_uid}.{series}"
        identity = {"PatientID": patient, "StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        instance = write(self.folder, data_set(sop_class, PatientName=name, **identity))
        file_id = media.add(self.stick, instance, "MODEL").file_id
        assert file_id not in {row[0] for row in self.filed.values()}
        self.filed[instance.sop_instance_uid] = (file_id, patient, study_uid, series_uid)
        self.made.append(instance)

    @rule(which=st.integers(0, 99))
    def add_again(self, which: int) -> None:
        if self.made:
            instance = self.made[which % len(self.made)]
            fresh = instance.sop_instance_uid not in self.filed
            file_id = media.add(self.stick, instance, "MODEL").file_id
            if fresh:
                ds = pydicom.dcmread(instance.path)
                row = (file_id, ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID)
                self.filed[instance.sop_instance_uid] = row
            assert self.filed[instance.sop_instance_uid][0] == file_id

    @rule()
    def restart(self) -> None:
        fileset._open.clear()

    @rule()
    def lose_the_directory(self) -> None:
        (self.stick / "DICOMDIR").unlink(missing_ok=True)
        if self.made:
            media.repair(self.stick)

    @rule()
    def repair(self) -> None:
        media.repair(self.stick)

    @rule(which=st.integers(0, 99))
    def lose_a_file(self, which: int) -> None:
        if self.filed:
            uid = sorted(self.filed)[which % len(self.filed)]
            (self.stick / self.filed.pop(uid)[0]).unlink()
            media.repair(self.stick)

    @invariant()
    def the_directory_says_what_the_model_says(self) -> None:
        if not hasattr(self, "stick"):
            return
        report = media.verify(self.stick)
        assert report.sound, str(report)
        if not self.filed:
            assert not (self.stick / "DICOMDIR").exists()
            return
        found = {
            i.SOPInstanceUID: (
                Path(i.path).relative_to(self.stick).as_posix(),
                i.PatientID,
                i.StudyInstanceUID,
                i.SeriesInstanceUID,
            )
            for i in FileSet(self.stick / "DICOMDIR")
        }
        assert found == self.filed


Stick.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestAnySequence = Stick.TestCase
