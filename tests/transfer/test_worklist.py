"""The worklist of real and embedded RIS: all items, all names, whatever the character set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import pytest
from dcmtk import worklist as wlmscpfs
from hostile import Line
from orthanc import Orthanc
from pydicom import Dataset

from gateway.errors import Held, Retry
from gateway.settings import Box, Ris
from gateway.step import ScheduledStep, value
from gateway.transfer import dataset, worklist
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Tag
from gateway.transfer.names import EXPLICIT
from gateway.transfer.peers import Peer
from gateway.trial import patients
from gateway.trial.hospital import Hospital

Call = Callable[..., Peer]
RIS = Ris(name="ris", ae_title="HOSPITAL", host="127.0.0.1", port=1)


def names(steps: tuple[ScheduledStep, ...]) -> dict[str, str]:
    """All component groups of each patient's name, by Patient ID."""
    groups = ("Alphabetic", "Ideographic", "Phonetic")
    found = {s.patient_id: s.item["00100010"]["Value"][0] for s in steps}
    return {uid: "=".join(name.get(g, "") for g in groups).rstrip("=") for uid, name in found.items()}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with Hospital(tmp_path_factory.mktemp("hospital")) as running:
        yield running


EVERYBODY = {p.id: p.name for p in patients.PATIENTS}


def test_the_broad_query_finds_todays_items_with_all_names_unharmed(tmp_path: Path, call: Call) -> None:
    yesterday = patients.items(day="20200101")
    with Hospital(tmp_path / "hospital", items=[*patients.items(), *yesterday]) as hospital:
        steps = worklist.query(call(hospital.port), **worklist.broad(Box(), RIS))
    assert names(steps) == EVERYBODY
    assert len(steps) == len(EVERYBODY)
    first = steps[0]
    assert (first.accession_number, first.step_id, first.modality, first.missing) == ("ACC0001", "SPS0001", "ECG", ())
    assert value(first.item, "00400100/00400008/00080100") == "11524-6"
    assert value(first.item, "00080005") == "ISO_IR 192"


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"patient_id": "PAT-0002"}, {"PAT-0002"}),
        ({"patient_name": "Müller*"}, {"PAT-0001"}),
        ({"accession_number": "ACC0003"}, {"PAT-0003"}),
        ({"requested_procedure_id": "RP0004"}, {"PAT-0004"}),
        ({"patient_id": "PAT-0002", "accession_number": "ACC0003"}, set()),
        ({"station": "ANOTHER"}, set()),
        ({"modality": "CT"}, set()),
        ({}, set(EVERYBODY)),
    ],
)
def test_the_patient_query_matches_each_key_alone_and_all_together(
    keys: dict[str, str], found: set[str], hospital: Hospital, call: Call
) -> None:
    assert {s.patient_id for s in worklist.query(call(hospital.port), **keys)} == found  # type: ignore[arg-type]


def test_wlmscpfs_gives_all_names_unharmed(tmp_path: Path, call: Call) -> None:
    with wlmscpfs(tmp_path / "worklist", patients.items()) as port:
        steps = worklist.query(call(port, "RIS"), **worklist.broad(Box(), RIS))
    assert names(steps) == EVERYBODY
    assert {s.missing for s in steps} == {()}


def test_orthanc_gives_what_its_plug_in_can_say(call: Call, pacs: Orthanc) -> None:
    steps = worklist.query(call(pacs.port, pacs.ae_title), **worklist.broad(Box(), RIS))
    assert names(steps) == {p.id: p.name for p in patients.PATIENTS if p.charset in ((), ("ISO_IR 100",))}


def test_a_worklist_without_end_is_cancelled_at_the_limit(tmp_path: Path, call: Call) -> None:
    items = patients.items(patients=patients.PATIENTS * 40)
    with Hospital(tmp_path / "hospital", items=items) as hospital:
        assert len(worklist.query(call(hospital.port), most=10)) == 10


def test_a_ris_that_ignores_the_cancellation_is_cut_off(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "AFTER_CANCEL", 20)

    def script(line: Line) -> None:
        asked = line.accept()
        message = line.message()
        assert message is not None
        syntax = next(c.transfer_syntaxes[0] for c in asked.contexts if c.id == message.context_id)
        while True:
            line.say(pending(message, dataset.encode(patients.items()[0], syntax)))

    with hostile.peer(script) as port, pytest.raises(Retry, match="goes on sending worklist items"):
        worklist.query(call(port), most=5)


def pending(message: dimse.Message, item: bytes) -> pdu.Data:
    command = {
        Tag.COMMAND_FIELD: dimse.Field.C_FIND | dimse.RESPONSE,
        Tag.MESSAGE_ID_BEING_RESPONDED_TO: dimse.number(message.command, Tag.MESSAGE_ID),
        Tag.DATA_SET_TYPE: 1,
        Tag.STATUS: 0xFF00,
    }
    fragments = (pdu.Pdv(message.context_id, True, True, dimse.encode(command)),)
    return pdu.Data((*fragments, pdu.Pdv(message.context_id, False, True, item)))


def answering(*items: bytes) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.say(*(pending(message, item) for item in items))
        line.respond(message)
        line.message()

    return script


def test_an_item_that_cannot_be_read_is_left_out_and_the_others_stay(call: Call) -> None:
    good = dataset.encode(patients.items()[4], EXPLICIT)
    with hostile.peer(answering(b"\x10\x00\x10\x00PN\xff\x7fgarbage", good, good)) as port:
        assert [s.patient_id for s in worklist.query(call(port))] == ["PAT-0005", "PAT-0005"]


def test_an_item_that_lacks_required_attributes_is_kept_and_says_what_it_lacks(call: Call) -> None:
    item = Dataset()
    item.PatientName = "Doe^John"
    with hostile.peer(answering(dataset.encode(item, EXPLICIT))) as port:
        (step,) = worklist.query(call(port))
    assert step.patient_name == "Doe^John"
    assert step.missing == ("Patient ID", "Study Instance UID", "Scheduled Procedure Step ID")


@pytest.mark.parametrize(("status", "error"), [(0xA700, Retry), (0xA900, Held), (0xC001, Retry), (0x0124, Held)])
def test_a_refused_query_says_why(status: int, error: type[Exception], call: Call) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message, status)
        line.message()

    with hostile.peer(script) as port, pytest.raises(error, match=f"answered {status:04X}H"):
        worklist.query(call(port))


def test_a_peer_without_worklist_is_held_with_words(call: Call) -> None:
    def script(line: Line) -> None:
        line.accept(refuse=(worklist.FIND,))
        line.message()

    with hostile.peer(script) as port, pytest.raises(Held, match="does not take Modality Worklist"):
        worklist.query(call(port))


def test_a_clock_that_is_plainly_wrong_names_no_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert worklist.broad(Box(), RIS)["start_date"] == ""


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (b"ISO_IR 192", b"M\xfcller^X"),
        (b"ISO_IR 199", b"M\xfcller^X"),
        (b"", b"M\xfcller^X"),
        (b"ISO_IR 6", b"M\xfcller^X"),
        (b"\\ISO 2022 IR 87", b"Yamada=\x1b$)C\xd1\xce"),
    ],
)
def test_text_outside_its_character_set_is_taken_out_and_the_item_shown_as_lacking_it(
    charset: bytes, name: bytes, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    good = dataset.encode(patients.items()[0], EXPLICIT)
    parts = ((b"\x08\x00\x05\x00CS", charset), (b"\x10\x00\x10\x00PN", name), (b"\x10\x00\x20\x00LO", b"BAD1"))
    padded = [(tag, value + b" " * (len(value) % 2)) for tag, value in parts]
    bad = b"".join(tag + len(value).to_bytes(2, "little") + value for tag, value in padded)
    with hostile.peer(answering(bad, good)) as port:
        steps = worklist.query(call(port))
    assert [s.patient_name for s in steps] == ["", "Müller^Jürgen"]
    assert steps[0].patient_id == "BAD1"
    assert "Patient's Name" in steps[0].missing
    said = [r.getMessage() for r in caplog.records if "cannot be read" in r.getMessage()]
    assert len(said) == 1
    assert "character set" in said[0]
    assert "ller" not in said[0]


def test_a_ris_that_never_says_its_character_set_is_read_in_the_configured_one(tmp_path: Path, call: Call) -> None:
    latin = [item for item in patients.items() if item.PatientID in ("PAT-0001", "PAT-0005")]
    with wlmscpfs(tmp_path / "worklist", latin, keep_character_set=False) as port:
        silent = worklist.query(call(port, "RIS"))
        told = worklist.query(call(port, "RIS"), character_set="ISO_IR 100")
    assert {s.patient_id: s.patient_name for s in silent} == {"PAT-0001": "", "PAT-0005": "Doe^Jane"}
    assert {s.patient_id: s.patient_name for s in told} == {"PAT-0001": "Müller^Jürgen", "PAT-0005": "Doe^Jane"}
