"""Any sequence of what may happen to a stick leaves on it what a plain dictionary says, and no more.

More and longer sequences with GATEWAY_SLOW=1.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cutting import Cut, after
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydicom import dcmread
from pydicom.fileset import FileSet
from tiers import SLOW
from transfer.media.foreign import dcmmkdir
from transfer.media.samples import GENERAL, GENERAL_32, PDF, SECONDARY_CAPTURE, TWELVE_LEAD, data_set, write
from transfer.media.test_judges import tree

from gateway import fsops
from gateway.errors import Retry
from gateway.model import InstanceRef
from gateway.transfer import media
from gateway.transfer.media import fileset
from gateway.transfer.media.dicomdir import layout

CLASSES = [TWELVE_LEAD, GENERAL, GENERAL_32, PDF, SECONDARY_CAPTURE]
_SMALLEST = layout.SMALLEST_RESERVE
_USAGE = fileset.shutil.disk_usage

Row = tuple[str, str, str]  # patient, study, series


class Stick(RuleBasedStateMachine):
    @initialize(reserve=st.sampled_from([300, 3000, _SMALLEST]), foreign=st.sampled_from(["", "dcmmkdir", "pydicom"]))
    def begin(self, reserve: int, foreign: str) -> None:
        layout.SMALLEST_RESERVE = reserve
        self.folder = Path(tempfile.mkdtemp())
        self.stick = self.folder / "stick"
        self.stick.mkdir()
        self.filed: dict[str, Row] = {}
        self.theirs: set[str] = set()  # UIDs that only another program put there
        self.made: dict[str, InstanceRef] = {}
        self.number = 0
        if foreign:
            self.other_program_adds(foreign, "A", 1)

    def teardown(self) -> None:
        layout.SMALLEST_RESERVE = _SMALLEST
        fsops.watch = None
        fileset.shutil.disk_usage = _USAGE
        fileset._open.clear()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def instance(
        self, patient: str, study: int, series: int, sop_class: str, name: str = "Doe^J"
    ) -> tuple[InstanceRef, Row]:
        study_uid = f"1.2.{ord(patient)}.{study}"
        row = (patient, study_uid, f"{study_uid}.{series}")
        values = dict(zip(("PatientID", "StudyInstanceUID", "SeriesInstanceUID"), row, strict=True))
        made = write(self.folder, data_set(sop_class, PatientName=name, **values))
        self.made[made.sop_instance_uid] = made
        return made, row

    @rule(
        patient=st.sampled_from("ABC"),
        study=st.integers(1, 2),
        series=st.integers(1, 2),
        sop_class=st.sampled_from(CLASSES),
        name=st.sampled_from(["Doe^J", "Ñuñez^José", "김^희중"]),
    )
    def add(self, patient: str, study: int, series: int, sop_class: str, name: str) -> None:
        made, row = self.instance(patient, study, series, sop_class, name)
        media.add(self.stick, made, "MODEL")
        self.filed[made.sop_instance_uid] = row

    @precondition(lambda self: self.made)
    @rule(which=st.integers(0, 99))
    def add_again(self, which: int) -> None:
        uid = sorted(self.made)[which % len(self.made)]
        media.add(self.stick, self.made[uid], "MODEL")
        if uid not in self.filed:
            ds = dcmread(self.made[uid].path)
            self.filed[uid] = (ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID)

    @rule(which=st.integers(0, 99))
    def remove(self, which: int) -> None:
        if ours := sorted(self.filed.keys() - self.theirs):
            uid = ours[which % len(ours)]
            media.remove(self.stick, uid)
            del self.filed[uid]

    @rule(what=st.sampled_from(["add", "remove", "repair"]), step=st.integers(1, 30), which=st.integers(0, 99))
    def yank(self, what: str, step: int, which: int) -> None:
        """Pull it after so many durable steps; what was begun then happened or did not, nothing else did."""
        ours = sorted(self.filed.keys() - self.theirs)
        if what != "add" and not (self.stick / "GATEWAY" / "LOCK").exists():
            return  # nothing of ours there yet
        act: Callable[[], object] = lambda: media.repair(self.stick)  # noqa: E731
        uid, row = "", ("", "", "")
        if what == "add":
            made, row = self.instance("ABC"[which % 3], 1, 1, TWELVE_LEAD)
            uid, act = made.sop_instance_uid, lambda: media.add(self.stick, made, "MODEL")
        elif what == "remove" and ours:
            uid, act = ours[which % len(ours)], lambda: media.remove(self.stick, uid)
        left = step

        def stop(_what: str, _where: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Cut

        fsops.watch = after(stop)
        try:
            act() if self.filed or uid else None
        except Cut:
            fileset._open.clear()
        fsops.watch = None
        there = self.read()
        rest = {u: r for u, r in self.filed.items() if u != uid}
        assert {u: r for u, r in there.items() if u != uid} == rest
        if (self.stick / "GATEWAY" / "LOCK").exists():
            media.repair(self.stick)  # takes in a whole file that was not named yet, finishes a removal
        self.filed = self.read()
        assert {u: r for u, r in self.filed.items() if u != uid} == rest
        assert self.filed.get(uid, row or there.get(uid)) in (row, there.get(uid)) or what == "remove"

    @rule(patient=st.sampled_from("ABC"))
    def nearly_full(self, patient: str) -> None:
        made, _row = self.instance(patient, 1, 1, TWELVE_LEAD)
        fileset.shutil.disk_usage = lambda _path: type("Usage", (), {"free": 1000})
        with pytest.raises(Retry, match="full"):
            media.add(self.stick, made, "MODEL")
        fileset.shutil.disk_usage = _USAGE

    @rule()
    def another_stick(self) -> None:
        shutil.rmtree(self.stick)
        self.stick.mkdir()
        self.filed, self.theirs = {}, set()

    @rule(by=st.sampled_from(["dcmmkdir", "pydicom"]), patient=st.sampled_from("ABC"), study=st.integers(1, 2))
    def other_program_adds(self, by: str, patient: str, study: int) -> None:
        made, row = self.instance(patient, study, 3, TWELVE_LEAD)
        self.number += 1
        if by == "dcmmkdir":
            name = f"OTHER{self.number}"
            shutil.copy(made.path, self.stick / name)
            append = ["+A"] if (self.stick / "DICOMDIR").exists() else []
            dcmmkdir(self.stick, *append, "-W", "+id", str(self.stick), name)
        elif (self.stick / "DICOMDIR").exists():
            files = FileSet(self.stick / "DICOMDIR")
            files.add(made.path)
            files.write()
        else:
            files = FileSet()
            files.add(made.path)
            files.write(self.stick)
        self.filed[made.sop_instance_uid] = row
        self.theirs.add(made.sop_instance_uid)

    @rule()
    def restart(self) -> None:
        fileset._open.clear()

    @precondition(lambda self: (self.stick / "GATEWAY" / "LOCK").exists() and self.only_ours())
    @rule()
    def lose_the_directory(self) -> None:
        (self.stick / "DICOMDIR").unlink(missing_ok=True)
        media.repair(self.stick)

    @precondition(lambda self: (self.stick / "GATEWAY" / "LOCK").exists())
    @rule()
    def repair(self) -> None:
        media.repair(self.stick)

    @precondition(lambda self: self.only_ours())
    @rule(which=st.integers(0, 99))
    def lose_a_file(self, which: int) -> None:
        if self.filed:
            uid = sorted(self.filed)[which % len(self.filed)]
            (self.stick / self.names()[uid][3]).unlink()
            del self.filed[uid]
            media.repair(self.stick)

    def only_ours(self) -> bool:
        return not self.theirs and not (self.stick / "GATEWAY" / "DICOMDIR.ORG").exists()

    def read(self) -> dict[str, Row]:
        if not (self.stick / "DICOMDIR").exists():
            return {}
        return {uid: row[:3] for uid, row in self.names().items()}

    def names(self) -> dict[str, tuple[str, str, str, str]]:
        """Patient, study, series and File ID by SOP Instance UID, as pydicom reads the records along their links."""
        return {uid: (patient, study, series, name) for patient, study, series, _kind, uid, name in tree(self.stick)}

    @invariant()
    def the_stick_says_what_the_model_says(self) -> None:
        if not hasattr(self, "stick"):
            return
        assert self.read() == self.filed
        report = media.verify(self.stick)
        assert report.sound, str(report)
        if not self.filed:
            assert not (self.stick / "DICOMDIR").exists()
            return
        for uid, (*_row, name) in self.names().items():
            assert (self.stick / name).read_bytes() == Path(self.made[uid].path).read_bytes()


Stick.TestCase.settings = settings(max_examples=200 if SLOW else 10, stateful_step_count=30 if SLOW else 12)
TestAnySequence = pytest.mark.timeout(3600 if SLOW else 300)(Stick.TestCase)
