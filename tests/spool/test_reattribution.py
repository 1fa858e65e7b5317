"""What was given to the wrong patient is given to the right one, before it was sent and after."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from peers import need
from pydicom.dataset import Dataset
from spooling import CLOCK, DESTINATION, ITEM, Box, Pacs, record
from telling import RIS, Told

from gateway import configuration, corrections, exam
from gateway.dicom import reasons, rejection
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import Held, Misuse
from gateway.model import Attributed, Exam
from gateway.settings import Settings
from gateway.spool import holding, layout, marks
from gateway.spool.reattribution import Reattribution
from gateway.transfer.calling.outcomes import Outcome

AWAY = Outcome("retry", "closed", "nothing listens")
OTHER = ITEM | {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Right^Rita"}]},
    "00100020": {"vr": "LO", "Value": ["PAT-2"]},
    "0020000D": {"vr": "UI", "Value": ["2.25.2"]},
    "00080050": {"vr": "SH", "Value": ["ACC2"]},
}


class Ward:
    """A box whose technician picked the wrong patient: PAT-1, and the right one is PAT-2."""

    def __init__(self, config: Path, destination: str = "") -> None:
        usual = DESTINATION.format(name="pacs", port=104, policy="commitment")
        config.write_text(config.read_text() + RIS + (destination or usual))
        self.settings: Settings = configuration.load(config)
        self.pacs = Pacs()
        self.restart()

    def restart(self) -> None:
        self.box = Box(self.settings, self.pacs)
        arguments = (self.settings, self.box.ledger, CLOCK, wrap, check, lambda: None)
        self.desk = Reattribution(*arguments)
        self.told = Told(self.settings, self.box.ledger)

    def wrong(self, how: Attributed = Attributed.SCHEDULED, item: dict[str, Any] | None = None) -> tuple[Exam, str]:
        found = exam.open_exam(self.settings.places, CLOCK, ("ecg1",), how, item or ITEM, "ris")
        name = record(self.settings, found.exam)
        return exam.close_exam(self.settings.places, CLOCK, found.exam), name

    def right(self, wrong: Exam, item: dict[str, Any] | None = None) -> Exam:
        here = self.settings.places
        return corrections.correct(here, CLOCK, wrong, Attributed.SCHEDULED, item or OTHER, "ris", why="mixed up")

    def give(self, recording: str, to: Exam) -> str:
        return str(self.desk.asked({"instance": recording, "to": to.exam, "who": "Ann", "why": "mixed up"})["words"])

    def finish(self, *those: Exam) -> None:
        for one in those:
            exam.close_exam(self.settings.places, CLOCK, one.exam)
        for _ in range(4):
            self.box.take_in()
            self.box.deliver()
            self.told.turn()

    def has(self) -> dict[str, Dataset]:
        """What the PACS holds, by SOP Instance UID."""
        return {uid: pydicom.dcmread(io.BytesIO(data)) for uid, data in self.pacs.held.items()}

    def of(self, patient: str) -> list[Dataset]:
        return [d for d in self.has().values() if d.PatientID == patient and d.SOPClassUID != rejection.SOP_CLASS]

    def notes(self) -> list[Dataset]:
        return [d for d in self.has().values() if d.SOPClassUID == rejection.SOP_CLASS]


@pytest.fixture
def ward(config: Path) -> Ward:
    return Ward(config)


def test_what_was_not_wrapped_yet_is_wrapped_for_the_right_patient(ward: Ward) -> None:
    wrong, name = ward.wrong()
    folder = ward.settings.places.acquisition(name)
    holding.hold(folder, holding.Reason(holding.DOUBT, "the device named another patient", "", 0.0))
    ward.box.take_in()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.finish(right)
    assert (len(ward.of("PAT-1")), len(ward.of("PAT-2")), ward.notes()) == (0, 1, [])


def test_what_is_queued_and_was_never_offered_is_sent_for_the_right_patient_only(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    right = ward.right(wrong)
    words = ward.give(name, right)
    assert "told that it is withdrawn" not in words
    ward.finish(right)
    (sent,) = ward.has().values()
    assert (sent.PatientID, sent.StudyInstanceUID, sent.AccessionNumber) == ("PAT-2", "2.25.2", "ACC2")
    assert ward.notes() == []
    assert sent.SOPInstanceUID in ward.pacs.committed


def test_the_corrected_header_says_what_it_was_before(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.finish(right)
    (sent,) = ward.of("PAT-2")
    (original,) = sent.OriginalAttributesSequence
    (before,) = original.ModifiedAttributesSequence
    assert (before.PatientID, str(before.PatientName)) == ("PAT-1", "Doe^Jane")
    assert before.StudyInstanceUID == "2.25.4711"
    assert before["AccessionNumber"].is_empty
    assert "PatientSex" not in before, "it did not change"
    assert original.ReasonForTheAttributeModification == "CORRECT"
    assert original.AttributeModificationDateTime
    assert original.ModifyingSystem == "GATEWAY"
    assert original["SourceOfPreviousValues"].is_empty
    assert sent.StudyDate == sent.PerformedProcedureStepStartDate == sent.ContentDate, "it was performed when it was"


def test_what_a_pacs_has_is_withdrawn_by_a_note_and_sent_anew(ward: Ward, tmp_path: Path) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    ward.box.deliver()
    (old,) = ward.of("PAT-1")
    right = ward.right(wrong)
    assert "pacs may have the old one" in ward.give(name, right)
    ward.finish(right)
    (new,) = ward.of("PAT-2")
    assert new.SOPInstanceUID != old.SOPInstanceUID
    assert new.SeriesInstanceUID != old.SeriesInstanceUID
    assert new.WaveformSequence[0].WaveformData == old.WaveformSequence[0].WaveformData
    (note,) = ward.notes()
    assert (note.PatientID, note.StudyInstanceUID, note.Modality) == ("PAT-1", old.StudyInstanceUID, "KO")
    assert note.ConceptNameCodeSequence[0].CodeValue == "113038"
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == old.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    (reference,) = [i for i in note.ContentSequence if i.ValueType == "WAVEFORM"]
    assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert {note.SOPInstanceUID, new.SOPInstanceUID} <= ward.pacs.committed
    assert ward.pacs.stores.count(old.SOPInstanceUID) == 1
    path = tmp_path / "note.dcm"
    path.write_bytes(ward.pacs.held[note.SOPInstanceUID])
    judged = subprocess.run([need("dciodvfy"), str(path)], check=False, capture_output=True, text=True)
    assert "KeyObjectSelectionDocument" in judged.stderr
    assert not [line for line in judged.stderr.splitlines() if line.startswith("Error")], judged.stderr


def test_a_dicomweb_server_that_has_it_is_told_as_well(config: Path) -> None:
    address = 'url = "http://127.0.0.1:1/dicom-web"\nplain_http = true\npolicy = "verified"\n'
    ward = Ward(config, f'[[destination]]\nname = "pacs"\n{address}')
    wrong, recording = ward.wrong()
    ward.finish(wrong)
    right = ward.right(wrong)
    assert "pacs may have the old one, and is told that it is withdrawn" in ward.give(recording, right)
    ward.finish(right)
    assert len(ward.notes()) == 1


def test_an_unidentified_patient_gets_a_name_and_the_old_one_is_withdrawn_for_safety(ward: Ward) -> None:
    nobody = ITEM | {"00100020": {"vr": "LO", "Value": ["EMERGENCY-1"]}, "0020000D": {"vr": "UI", "Value": []}}
    wrong, name = ward.wrong(Attributed.EMERGENCY, nobody)
    ward.box.take_in()
    ward.box.deliver()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.finish(right)
    (note,) = ward.notes()
    assert (note.PatientID, note.ConceptNameCodeSequence[0].CodeValue) == ("EMERGENCY-1", "113037")
    assert len(ward.of("PAT-2")) == 1


def test_a_send_that_may_have_arrived_is_withdrawn_too(ward: Ward) -> None:
    """The box lost its power between the offer and the answer."""
    wrong, name = ward.wrong()
    ward.box.take_in()

    def cut(peer: Any, instances: Any, progress: Any = None) -> Any:
        for one in instances:
            ward.pacs.held[one.sop_instance_uid] = Path(one.path).read_bytes()
        raise KeyboardInterrupt

    ward.box.couriers[0]._send = cut
    with pytest.raises(KeyboardInterrupt):
        ward.box.deliver()
    ward.restart()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.finish(right)
    assert len(ward.notes()) == 1
    assert len(ward.of("PAT-2")) == 1


def test_what_is_withdrawn_while_its_courier_is_about_to_send_it_is_not_sent(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    right, courier = ward.right(wrong), ward.box.couriers[0]
    hashed = courier._hash

    def meanwhile(*args: Any) -> Any:
        found = hashed(*args)
        ward.give(name, right)
        return found

    courier._hash = meanwhile  # type: ignore[method-assign]
    courier.turn()
    courier._hash = hashed  # type: ignore[method-assign]
    ward.finish(right)
    assert (len(ward.of("PAT-1")), len(ward.of("PAT-2")), ward.notes()) == (0, 1, [])


def test_the_loss_of_the_ledger_brings_nothing_back_to_the_wrong_patient(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.box.ledger.close()
    for path in ward.settings.places.ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    ward.restart()
    ward.finish(right)
    assert (len(ward.of("PAT-1")), len(ward.of("PAT-2"))) == (0, 1)
    rows = ward.box.ledger.query("SELECT folder, exam FROM instances ORDER BY folder")
    assert [(r["folder"], r["exam"]) for r in rows] == [(name, wrong.exam), (f"{name}@{right.exam}", right.exam)]


STEPS = ["audit", "withhold", "correct", "make", "rejection", "waive", "commit"]


@pytest.mark.parametrize("sent", [False, True], ids=["before sending", "after sending"])
@pytest.mark.parametrize("lost", [False, True], ids=["ledger there", "ledger lost"])
@pytest.mark.parametrize("step", STEPS)
def test_a_power_cut_anywhere_in_between_sends_nothing_to_the_wrong_patient_and_a_repetition_goes_on(
    step: str, lost: bool, sent: bool, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    if sent:
        ward.box.deliver()
    right = ward.right(wrong)
    places = {
        "audit": "gateway.spool.offers.withhold",  # each stands for the moment before it
        "withhold": "gateway.spool.holding.correct",
        "correct": "gateway.spool.reattribution.make",
        "make": "gateway.spool.reattribution.Reattribution._rejections",
        "rejection": "gateway.spool.marks.waive",
        "waive": "gateway.spool.instances.insert",
        "commit": "gateway.spool.offers.withdraw",
    }

    def cut(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(places[step], cut)
        with pytest.raises(KeyboardInterrupt):
            ward.give(name, right)
    ward.box.ledger.close()
    if lost:
        for path in ward.settings.places.ledger.parent.glob("ledger.sqlite*"):
            path.unlink()
    ward.restart()
    before = set(ward.pacs.stores)
    ward.finish()
    wrongly = [d for d in ward.of("PAT-1") if d.SOPInstanceUID not in before]
    if step != "audit":
        assert wrongly == [], "what was to be corrected went out all the same"
    ward.give(name, right)
    ward.finish(right)
    assert len(ward.of("PAT-2")) == 1
    assert len(ward.of("PAT-1")) == (1 if sent or (step == "audit") else 0)
    if ward.of("PAT-1") or not lost:  # without a ledger nobody can say that it was never offered
        assert len(ward.notes()) == (1 if ward.of("PAT-1") else 0)
    assert ward.box.ledger.query("SELECT 1 FROM deliveries WHERE held IS NOT NULL AND waived IS NULL") == []


def test_a_second_correction_goes_on_from_the_first(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    ward.box.deliver()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.finish(right)
    third = OTHER | {"00100020": {"vr": "LO", "Value": ["PAT-3"]}, "0020000D": {"vr": "UI", "Value": ["2.25.3"]}}
    at_last = ward.right(exam.load(ward.settings.places, right.exam), third)
    ward.give(name, at_last)
    ward.finish(at_last)
    assert len(ward.of("PAT-3")) == 1
    rejected = {
        str(s.ReferencedSOPInstanceUID)
        for note in ward.notes()
        for series in note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for s in series.ReferencedSOPSequence
    }
    assert {d.SOPInstanceUID for d in (*ward.of("PAT-1"), *ward.of("PAT-2"))} <= rejected


def test_the_ris_hears_of_a_step_that_was_a_wrong_entry_and_of_one_that_has_the_recording(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    ward.told.answers["create"] = AWAY
    ward.told.turn()
    right = ward.right(wrong)
    ward.give(name, right)
    corrections.discontinue(ward.settings.places, CLOCK, wrong.exam, reasons.WRONG_ENTRY)
    ward.told.answers["create"] = Outcome("done", "0000", "done")
    ward.finish(right)
    final = {uid: dataset for what, uid, dataset in ward.told.heard if what == "finish"}
    assert final[wrong.step_uid].PerformedProcedureStepStatus == "DISCONTINUED"
    (reason,) = final[wrong.step_uid].PerformedProcedureStepDiscontinuationReasonCodeSequence
    assert reason.CodeValue == "110514"
    listed = [
        s
        for series in final[wrong.step_uid].PerformedSeriesSequence
        for s in series.ReferencedNonImageCompositeSOPInstanceSequence
    ]
    assert listed == []
    (series,) = final[right.step_uid].PerformedSeriesSequence
    (named,) = series.ReferencedNonImageCompositeSOPInstanceSequence
    assert named.ReferencedSOPInstanceUID == ward.of("PAT-2")[0].SOPInstanceUID


def test_both_are_purged_when_the_corrected_copy_is_kept(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    ward.box.deliver()
    right = ward.right(wrong)
    ward.give(name, right)
    ward.finish(right)
    for _ in range(3):
        ward.box.purger.turn()
    assert not list(ward.settings.places.instances.iterdir())
    assert not list(ward.settings.places.acquisitions.iterdir())


def test_a_recording_whose_raw_data_is_purged_is_left_to_the_archive(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.finish()
    ward.box.purger.turn()
    with pytest.raises(Held, match="let the archive correct"):
        ward.give(name, ward.right(wrong))


def test_only_an_exam_that_corrects_the_recordings_own_may_have_it(ward: Ward) -> None:
    _, name = ward.wrong()
    another, _ = ward.wrong()
    ward.box.take_in()
    stranger = exam.open_exam(ward.settings.places, CLOCK, (), Attributed.SCHEDULED, OTHER)
    for to in (stranger, another, ward.right(another)):
        with pytest.raises(Held, match="does not correct"):
            ward.give(name, to)
    with pytest.raises(Misuse, match="no recording"):
        ward.give("../../etc", ward.right(another))
    assert ward.box.ledger.query("SELECT 1 FROM deliveries WHERE held IS NOT NULL") == []


def test_who_corrected_what_and_why_is_in_the_audit_trail_without_any_patient(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    right = ward.right(wrong)
    ward.give(name, right)
    text = ward.settings.places.audit.read_text()
    entry = json.loads(text.splitlines()[-1])
    assert (entry["who"], entry["what"], entry["why"]) == ("Ann", "reattribute", "mixed up")
    assert entry["subject"] == f"{name} from {wrong.exam} to {right.exam}"
    assert "PAT-" not in text


def test_a_correction_of_the_identity_alone_stays_in_its_study(ward: Ward) -> None:
    entered = ITEM | {"0020000D": {"vr": "UI", "Value": []}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "D^J"}]}}
    wrong, _ = ward.wrong(Attributed.MANUAL, entered)
    spelt = entered | {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}}
    assert ward.right(wrong, spelt).study_uid == wrong.study_uid


def test_another_patient_never_comes_into_the_wrong_ones_study(ward: Ward) -> None:
    entered = ITEM | {"0020000D": {"vr": "UI", "Value": []}}
    wrong, _ = ward.wrong(Attributed.MANUAL, entered)
    assert ward.right(wrong, OTHER | {"0020000D": {"vr": "UI", "Value": []}}).study_uid != wrong.study_uid


def test_the_marks_of_what_is_withdrawn_lie_beside_it(ward: Ward) -> None:
    wrong, name = ward.wrong()
    ward.box.take_in()
    ward.give(name, ward.right(wrong))
    (path,) = layout.files(ward.settings.places.instances / name)
    assert marks.of(path)[marks.EVERY].waived
