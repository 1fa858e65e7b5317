"""A person at the page, in a real browser: chooses whose an exam is, and puts right what was given to somebody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser
from spooling import CLOCK, Box, Pacs, record
from waiting import eventually
from web.conftest import item

from gateway import exam, local
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.spool import holding
from gateway.spool.desk import Desk
from gateway.spool.reattribution import Reattribution
from gateway.step import ScheduledStep
from gateway.verbs import giving, identity
from gateway.web.server import Server
from gateway.worklists import Worklist, keep_worklist

STATUS = {"well": True, "words": "all is well", "troubles": [], "queue": {}, "destinations": [], "ris": []}


def stepped(step: str, name: str, patient: str, study: str, **more: str) -> dict[str, Any]:
    made = item(step, name, patient) | {"0020000D": {"vr": "UI", "Value": [study]}}
    tags = {"accession": ("00080050", "SH")}
    return made | {tags[k][0]: {"vr": tags[k][1], "Value": [v]} for k, v in more.items()}


WORKLIST = (
    stepped("SPS1", "Müller^Jürgen", "4711", "2.25.1", accession="ACC1"),
    stepped("SPS2", "Müller^Jürgen", "4711", "2.25.2", accession="ACC2"),
    stepped("SPS3", "Doe^Jane", "4712", "2.25.3", accession="ACC3"),
    {tag: value for tag, value in stepped("SPS4", "Nobody^No", "4713", "2.25.4").items() if tag != "00100020"},
)


def schedule(settings: Settings, *items: dict[str, Any]) -> None:
    steps = tuple(ScheduledStep(one) for one in items)
    keep_worklist(settings.places.worklist, Worklist("ris", time.time() - 180, steps))


class Seat:
    """Somebody at the page."""

    def __init__(self, one: Browser, port: int) -> None:
        self._browser = one
        one.open(f"http://127.0.0.1:{port}/")

    def sees(self, words: str) -> bool:
        return bool(self._browser.ask(f"document.body.innerText.includes({words!r})"))

    def until(self, expression: str) -> Any:
        """Wait until a JavaScript expression is true."""
        return eventually(
            lambda: self._browser.ask(expression),
            lambda: f"to {expression}: {self._browser.ask('document.body.innerText')}",
        )

    def says(self, words: str) -> None:
        self.until(f"document.querySelector('#said').textContent.includes({words!r})")

    def ticked(self) -> list[str]:
        found = self._browser.ask("[...document.querySelectorAll('input[name=step]:checked')].map(b => b.value)")
        return list(found)

    def tick(self, *steps: str, kind: str = "step") -> None:
        for step in steps:
            self._browser.ask(f"document.querySelector('input[name={kind}][value={step}]').click()")

    def press(self, words: str) -> None:
        wanted = f"[...document.querySelectorAll('button')].find(b => b.textContent === {words!r} && !b.disabled)"
        self.until(f"!!{wanted}")
        self._browser.ask(f"{wanted}.click()")

    def type(self, text: str, *, enter: bool = True) -> None:
        """As a keyboard wedge does: into whatever has the focus, with Enter at its end."""
        self._browser.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp") if enter else ():
            self._browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", windowsVirtualKeyCode=13, text="\r")

    def question(self) -> str:
        return str(self.until("document.querySelector('dialog')?.innerText"))

    def look(self) -> None:
        """The page looks for news, as it does every few seconds."""
        self._browser.ask("news().then(() => { window.looked = (window.looked || 0) + 1; })")

    def complaints(self) -> list[str]:
        """But for what is no more than the status of a refusal."""
        return [c for c in self._browser.complaints() if not c.startswith("Failed to load resource")]

    def picture(self, path: Path) -> None:
        self._browser.picture(path)


@dataclass
class Ward:
    """The forward process without its threads, behind its socket."""

    settings: Settings
    box: Box

    def exams(self) -> list[Any]:
        return exam.exams(self.settings.places)

    def whose(self, recording: str) -> str:
        """Whom a recording belongs to; "" if it is nobody's."""
        self.box.take_in()
        folder = self.settings.places.acquisition(recording)
        facts = holding.facts(folder)
        assert facts is not None
        name = holding.exam_of(folder, facts)
        return ScheduledStep(exam.load(self.settings.places, name).attribution.item).patient_id if name else ""


@pytest.fixture
def ward(settings: Settings) -> Iterator[Ward]:
    schedule(settings, *WORKLIST)
    box = Box(settings, Pacs())
    desk = Desk(settings, box.ledger, CLOCK, box.rewrap, box.remake, lambda: None)
    giving = Reattribution(settings, box.ledger, CLOCK, wrap, check, lambda: None)
    handlers = desk.handlers | {"reattribute": giving.asked, "status": lambda _: STATUS | {"media": None}}
    server = local.Server(settings.places.socket("forward"), handlers)
    yield Ward(settings, box)
    server.close()
    box.ledger.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture
def seat(chromium: Browser, console: Server, ward: Ward) -> Iterator[Seat]:
    seat = Seat(chromium, console.port)
    yield seat
    assert seat.complaints() == []
    chromium.open("about:blank")


def test_two_steps_of_one_patient_are_ticked_and_become_one_exam(seat: Seat, ward: Ward) -> None:
    seat.tick("SPS3")
    seat.tick("SPS1", "SPS2")
    assert seat.ticked() == ["SPS1", "SPS2"], "the step of another patient is no longer ticked"
    seat.tick("ecg1", kind="device")
    seat.press("Start the exam")
    seat.says("is open")
    (made,) = ward.exams()
    assert [ScheduledStep(i).step_id for i in made.attribution.items] == ["SPS1", "SPS2"]
    assert (made.devices, made.attribution.source) == (("ecg1",), "ris")
    seat.press("End the exam")
    seat.says("is COMPLETED")
    assert ward.exams()[0].closed is not None


def test_a_scanner_chooses_the_one_step_that_its_bar_code_names(seat: Seat, ward: Ward) -> None:
    seat.type("4711")
    seat.says("2 scheduled steps fit")
    assert seat.ticked() == []
    seat.type("ACC3")
    seat.says("Chosen by bar code: Doe, Jane")
    assert seat.ticked() == ["SPS3"]
    seat.tick("ecg2", kind="device")
    seat.press("Start the exam")
    seat.says("is open")
    (made,) = ward.exams()
    assert ScheduledStep(made.attribution.item).patient_id == "4712"


def test_an_emergency_needs_a_device_and_no_patient(seat: Seat, ward: Ward) -> None:
    seat.press("Emergency: no name yet")
    seat.says("no device is chosen")
    assert ward.exams() == []
    seat.tick("ecg1", kind="device")
    seat.press("Emergency: no name yet")
    seat.says("is open")
    assert [e.attribution.how for e in ward.exams()] == [Attributed.EMERGENCY]


def test_what_an_item_lacks_and_how_old_the_worklist_is_are_shown(seat: Seat) -> None:
    assert seat.sees("Patient ID")
    assert seat.sees("Fetched from ris 3 min ago.")
    seat.until("document.querySelector('input[name=step][value=SPS4]').disabled === true")


def test_news_come_but_not_while_somebody_is_choosing(seat: Seat, ward: Ward) -> None:
    seat.tick("SPS1")
    schedule(ward.settings, *WORKLIST, stepped("SPS9", "Late^Comer", "4799", "2.25.9"))
    seat.look()
    seat.until("window.looked === 1")
    assert seat.ticked() == ["SPS1"]
    assert not seat.sees("Late, Comer")
    seat.tick("SPS1")
    seat.look()
    seat.until("document.body.innerText.includes('Late, Comer')")
    seat.type("ACC3")
    seat.says("Chosen by bar code: Doe, Jane")


def test_an_exam_of_the_wrong_patient_is_corrected_after_a_question_that_names_both(
    seat: Seat, ward: Ward, tmp_path: Path
) -> None:
    wrong = exam.open_exam(ward.settings.places, CLOCK, ("ecg1",), Attributed.SCHEDULED, WORKLIST[0], "ris")
    name = record(ward.settings, wrong.exam)
    exam.close_exam(ward.settings.places, CLOCK, wrong.exam)
    assert ward.whose(name) == "4711"
    seat.look()
    seat.press("Wrong patient")
    seat.says("choose a step of the worklist")
    seat.tick("SPS3")
    seat.press("Wrong patient")
    asked = seat.question()
    assert "Müller, Jürgen (ID 4711" in asked
    assert "Doe, Jane (ID 4712" in asked
    seat.picture(tmp_path / "question.png")
    seat.press("No")
    seat.says("Nothing was changed.")
    assert ward.whose(name) == "4711"
    seat.tick("SPS3")
    seat.press("Wrong patient")
    seat.question()
    seat.until("document.querySelector('dialog button').disabled === true")
    seat.type("bed 3, not bed 4", enter=False)
    seat.press("Yes")
    seat.says("belongs to exam")
    assert ward.whose(name) == "4712"
    audit = ward.settings.places.audit.read_text()
    assert "a person at the page" in audit
    assert "bed 3, not bed 4" in audit


def test_a_held_recording_is_given_to_the_chosen_step(seat: Seat, ward: Ward) -> None:
    name = record(ward.settings, None)
    assert ward.whose(name) == ""
    seat.look()
    seat.until("document.body.innerText.includes('Held recordings')")
    assert seat.sees("it belongs to nobody yet")
    seat.tick("SPS3")
    seat.press("Of the chosen step")
    assert "is nobody's yet. Is it of Doe, Jane (ID 4712" in seat.question()
    seat.press("Yes")
    seat.says("belongs to exam")
    assert ward.whose(name) == "4712"


def test_who_says_yes_when_somebody_else_was_quicker_is_asked_again_in_todays_words(seat: Seat, ward: Ward) -> None:
    name = record(ward.settings, None)
    assert ward.whose(name) == ""
    seat.look()
    seat.until("document.body.innerText.includes('Held recordings')")
    seat.tick("SPS3")
    seat.press("Of the chosen step")
    assert "is nobody's yet" in seat.question()
    others = identity.identify(ward.settings, ["SPS1"])
    giving.attribute(ward.settings, name, others, giving.Decision("somebody else"))
    seat.press("Yes")
    seat.until("document.querySelector('dialog')?.innerText.includes('was given to Müller, Jürgen (ID 4711')")
    seat.press("No")
    seat.says("Nothing was changed.")
    assert ward.whose(name) == "4711"
