"""Procedure steps through outages of a real RIS: nothing is lost, told twice or told in the wrong order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.sr.codedict import codes
from spooling import Box, Pacs, record

from gateway import configuration, exam
from gateway.clock import Clock
from gateway.dicom import reasons
from gateway.model import Attributed, Exam
from gateway.settings import Settings
from gateway.transfer.ris.step_reporter import StepReporter
from gateway.transfer.ris.worklist_poller import WorklistPoller
from gateway.trial import patients
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port
from gateway.verbs import identity

HOUR = 3600.0


class Listening(Hospital):
    """A RIS that notes each message; ``deaf``: it takes so many, and the connection breaks before its answer."""

    def __init__(self, folder: Path, port: int, **more: Any) -> None:
        super().__init__(folder, port=port, **more)
        self.heard: list[tuple[str, str, int]] = []
        self.deaf = 0

    def create_step(self, event: Any) -> Any:
        answer = super().create_step(event)
        return self._noted(event, "create", str(event.request.AffectedSOPInstanceUID), answer)

    def set_step(self, event: Any) -> Any:
        answer = super().set_step(event)
        return self._noted(event, "set", str(event.request.RequestedSOPInstanceUID), answer)

    def _noted(self, event: Any, what: str, uid: str, answer: Any) -> Any:
        status = answer[0] if isinstance(answer[0], int) else int(answer[0].Status)
        self.heard.append((uid, what, status))
        if self.deaf:
            self.deaf -= 1
            event.assoc.abort()
        return answer


class Failing(Listening):
    """A RIS that cannot take a step now (processing failure)."""

    def create_step(self, event: Any) -> Any:
        return 0x0110, None


class AtRis:
    """A box whose RIS listens on ``port``, and whose clock the test turns on."""

    def __init__(self, config: Path, port: int) -> None:
        ris = f'[[ris]]\nname = "ris"\nae_title = "HOSPITAL"\nhost = "127.0.0.1"\nport = {port}\ntimeout = 5\n'
        config.write_text(config.read_text() + ris)
        self.settings: Settings = configuration.load(config)
        self.past = 0.0
        base = Clock("always")
        self.clock = Clock("always", lambda: base.wall() + self.past, lambda: base.monotonic() + self.past)
        self.box = Box(self.settings, Pacs(), clock=self.clock)
        self.reporter = self.begin()

    def begin(self) -> StepReporter:
        """As after a restart of the process."""
        self.reporter = StepReporter(self.settings, self.settings.ris[0], self.box.ledger, self.clock)
        return self.reporter

    def an_exam(self, device: str, item: dict[str, Any], status: str = "COMPLETED") -> Exam:
        here = self.settings.places
        self.past += 60
        found = exam.open_exam(here, self.clock, (device,), Attributed.SCHEDULED, item, "ris")
        record(self.settings, found.exam, device=device)
        why = reasons.EQUIPMENT if status == "DISCONTINUED" else None
        return exam.close_exam(here, self.clock, found.exam, status, why)

    def turns(self, count: int, seconds: float) -> None:
        for _ in range(count):
            self.past += seconds
            self.reporter.turn()


def worklist_item(number: int = 0) -> dict[str, Any]:
    return dict(patients.items()[number].to_json_dict())


@pytest.mark.timeout(180)
def test_an_hour_without_the_ris_loses_no_step_and_keeps_their_order(tmp_path: Path, config: Path) -> None:
    port = free_port()
    ward = AtRis(config, port)
    made = [ward.an_exam("ecg1", worklist_item(n % 5), "DISCONTINUED" if n % 3 == 2 else "COMPLETED") for n in range(6)]
    ward.box.take_in()
    ward.turns(60, HOUR / 60)
    assert ward.reporter.answers is False
    ward.begin()  # and the box is restarted in between
    with Listening(tmp_path / "hospital", port) as hospital:
        ward.turns(20, 300)
        assert [state["state"] for state in ward.box.ledger.query("SELECT state FROM steps")] == ["DONE"] * 6
        for one in made:
            told = [(what, status) for uid, what, status in hospital.heard if uid == one.step_uid]
            assert told == [("create", 0), ("set", 0)]
            assert hospital.steps.state(one.step_uid) == one.closed.status  # type: ignore[union-attr]
        begun = [uid for uid, what, _ in hospital.heard if what == "create"]
        assert begun == [one.step_uid for one in made], "the oldest first"
        broken_off = hospital.steps.by_uid[made[2].step_uid]["00400281"]["Value"][0]
        assert broken_off["00080100"]["Value"] == ["110501"]


@pytest.mark.parametrize("deaf", [1, 2, 3])
def test_an_answer_that_is_lost_is_no_second_step(deaf: int, tmp_path: Path, config: Path) -> None:
    port = free_port()
    ward = AtRis(config, port)
    one = ward.an_exam("ecg1", worklist_item())
    ward.box.take_in()
    with Listening(tmp_path / "hospital", port) as hospital:
        hospital.deaf = deaf
        for _ in range(6):
            ward.turns(1, HOUR)
            ward.begin()
        assert hospital.steps.state(one.step_uid) == "COMPLETED"
        assert [(what, status) for _, what, status in hospital.heard if status == 0] == [("create", 0), ("set", 0)]
        assert hospital.heard[-1][2] in (0x0000, 0x0110, 0x0111)
    (row,) = ward.box.ledger.query("SELECT state, held FROM steps")
    assert (row["state"], row["held"]) == ("DONE", None)


def test_an_n_set_is_never_heard_before_its_n_create_was_answered(tmp_path: Path, config: Path) -> None:
    """However often the RIS fails between: what is not created is not set."""
    port = free_port()
    ward = AtRis(config, port)
    one = ward.an_exam("ecg1", worklist_item())
    ward.box.take_in()
    with Failing(tmp_path / "hospital", port) as hospital:
        ward.turns(10, HOUR)
        assert hospital.heard == []
        assert ward.box.ledger.query("SELECT state FROM steps")[0]["state"] == "QUEUED"
    with Listening(tmp_path / "hospital", port) as hospital:
        ward.turns(5, HOUR)
        assert [what for _, what, _ in hospital.heard] == ["create", "set"]
        assert hospital.steps.state(one.step_uid) == "COMPLETED"


def test_a_ris_that_omits_the_study_gets_the_one_that_the_box_made_in_step_and_instance(
    tmp_path: Path, config: Path
) -> None:
    port = free_port()
    items = patients.items()
    del items[0].StudyInstanceUID
    ward = AtRis(config, port)
    with Listening(tmp_path / "hospital", port, items=items) as hospital:
        WorklistPoller(ward.settings, ward.settings.ris[0], ward.clock).ask()
        named = identity.identify(ward.settings, "SPS0001")
        found = exam.open_exam(ward.settings.places, ward.clock, ("ecg1",), *named)
        record(ward.settings, found.exam)
        exam.close_exam(ward.settings.places, ward.clock, found.exam)
        ward.box.take_in()
        ward.turns(3, 10)
        told = hospital.steps.by_uid[found.step_uid]
    assert found.study_uid.startswith("2.25.")
    assert told["00400270"]["Value"][0]["0020000D"]["Value"] == [found.study_uid]
    (series,) = told["00400340"]["Value"]
    (row,) = ward.box.ledger.query("SELECT uid, series_uid FROM instances")
    assert series["0020000E"]["Value"] == [row["series_uid"]]
    (named_there,) = series["00400220"]["Value"]
    assert named_there["00081155"]["Value"] == [row["uid"]]


@pytest.mark.parametrize("word", reasons.TABLE)
def test_each_reason_is_one_of_cid_9300(word: str) -> None:
    code = reasons.TABLE[word]
    there = {c.value: c.meaning for c in (getattr(codes.CID9300, name) for name in codes.CID9300.dir())}
    assert there[code.value] == code.meaning
