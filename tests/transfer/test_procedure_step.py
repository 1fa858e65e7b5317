"""Performed procedure steps: begun once, ended once, and the RIS's answers understood."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hostile
import pytest
from pydicom import Dataset

from gateway.identifiers import new_uid
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Tag
from gateway.transfer.calling.peers import Peer
from gateway.transfer.ris import procedure_step
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port

Call = Callable[..., Peer]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with Hospital(tmp_path_factory.mktemp("hospital")) as running:
        yield running


def begun() -> Dataset:
    step, scheduled = Dataset(), Dataset()
    scheduled.StudyInstanceUID, scheduled.AccessionNumber = new_uid(), "ACC0001"
    step.SpecificCharacterSet = "ISO_IR 192"
    step.ScheduledStepAttributesSequence = [scheduled]
    step.PatientName, step.PatientID = "Müller^Jürgen", "PAT-0001"
    step.PerformedProcedureStepID, step.PerformedStationAETitle = "2601011200", "GATEWAY"
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20260101", "120000"
    step.PerformedProcedureStepStatus, step.Modality = "IN PROGRESS", "ECG"
    step.PerformedProcedureStepEndDate = step.PerformedProcedureStepEndTime = None
    step.PerformedSeriesSequence, step.PerformedProcedureStepDiscontinuationReasonCodeSequence = [], []
    return step


def ended() -> Dataset:
    step, series = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ProtocolName = new_uid(), "12-lead ECG at rest"
    step.SpecificCharacterSet = "ISO_IR 192"
    step.PerformedProcedureStepStatus = "COMPLETED"
    step.PerformedProcedureStepEndDate, step.PerformedProcedureStepEndTime = "20260101", "120100"
    step.PerformedSeriesSequence = [series]
    return step


def test_a_step_is_begun_and_completed(hospital: Hospital, call: Call) -> None:
    uid = new_uid()
    peer = call(hospital.port)
    assert procedure_step.create(peer, uid, begun()).kind == "done"
    assert hospital.steps.state(uid) == "IN PROGRESS"
    assert procedure_step.finish(peer, uid, ended()).kind == "done"
    assert hospital.steps.state(uid) == "COMPLETED"
    assert hospital.steps.by_uid[uid]["00100010"]["Value"][0]["Alphabetic"] == "Müller^Jürgen"
    assert hospital.steps.file(uid).exists()


def test_a_repeated_beginning_counts_as_done(hospital: Hospital, call: Call) -> None:
    uid = new_uid()
    outcomes = [procedure_step.create(call(hospital.port), uid, begun()) for _ in range(2)]
    assert [(o.kind, o.code) for o in outcomes] == [("done", "0000"), ("done", "0111")]


def test_a_step_that_is_final_or_unknown_may_not_be_changed(hospital: Hospital, call: Call) -> None:
    uid = new_uid()
    peer = call(hospital.port)
    procedure_step.create(peer, uid, begun())
    procedure_step.finish(peer, uid, ended())
    again, unknown = procedure_step.finish(peer, uid, ended()), procedure_step.finish(peer, new_uid(), ended())
    assert (again.kind, again.code) == ("hold", "A710") and "is final" in again.words
    assert (unknown.kind, unknown.code) == ("hold", "0112")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda step: step.__delattr__("Modality"), "0120"),
        (lambda step: setattr(step, "PerformedProcedureStepID", ""), "0121"),
        (lambda step: setattr(step, "PerformedProcedureStepStatus", "COMPLETED"), "0106"),
    ],
)
def test_the_embedded_ris_refuses_a_step_that_breaks_the_standard(
    spoil: Callable[[Dataset], None], code: str, hospital: Hospital, call: Call
) -> None:
    step = begun()
    spoil(step)
    outcome = procedure_step.create(call(hospital.port), new_uid(), step)
    assert (outcome.kind, outcome.code) == ("hold", code)


def test_only_what_was_created_may_be_set(hospital: Hospital, call: Call) -> None:
    uid, change = new_uid(), ended()
    change.PerformedLocation = "ward 3"
    procedure_step.create(call(hospital.port), uid, begun())
    outcome = procedure_step.finish(call(hospital.port), uid, change)
    assert (outcome.kind, outcome.code) == ("hold", "0105")


def test_a_ris_that_is_away_is_tried_again(call: Call) -> None:
    outcome = procedure_step.create(call(free_port()), new_uid(), begun())
    assert (outcome.kind, outcome.code) == ("retry", "closed")


@pytest.mark.parametrize(
    ("error_id", "expected"), [(None, ("retry", "0110")), (0xA501, ("retry", "0110")), (0xA710, ("hold", "A710"))]
)
def test_only_the_error_id_says_that_a_step_is_final(
    error_id: int | None, expected: tuple[str, str], call: Call
) -> None:
    def script(line: hostile.Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        command: dict[Tag, int | str] = {
            Tag.COMMAND_FIELD: message.field | dimse.RESPONSE,
            Tag.MESSAGE_ID_BEING_RESPONDED_TO: dimse.number(message.command, Tag.MESSAGE_ID),
            Tag.DATA_SET_TYPE: dimse.NO_DATA_SET,
            Tag.STATUS: 0x0110,
        }
        if error_id is not None:
            command[Tag.ERROR_ID] = error_id
        line.say(pdu.Data((pdu.Pdv(message.context_id, True, True, dimse.encode(command)),)))
        line.message()

    with hostile.peer(script) as port:
        outcome = procedure_step.finish(call(port), new_uid(), ended())
    assert (outcome.kind, outcome.code) == expected
