"""Whatever technicians, devices, the RIS and the mains do, in any order: no recording goes to a wrong patient.

A model keeps, for each recording, who it may be: whom a person chose before it began, whom its device plainly named if
nobody chose, whom a person gave it to afterwards. Whatever is offered to the PACS is compared with it at that moment.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pydicom
from conftest import CONFIGURATION
from hypothesis import HealthCheck, settings, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from spooling import CLOCK, DESTINATION, Box, Pacs, record
from tiers import SLOW

from gateway import clock, configuration, corrections, exam, fsops
from gateway.acquire.whose import device_exam
from gateway.dicom import reasons, rejection
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import GatewayError, Held
from gateway.model import Attributed, Exam, InstanceRef
from gateway.places import IDENTIFIED
from gateway.spool import holding, intake, layout
from gateway.spool.desk import Desk
from gateway.spool.reattribution import Reattribution
from gateway.step import ScheduledStep
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.ris.step_changes import StepChanges
from gateway.verbs import identity
from gateway.verbs.exams import start_exam
from gateway.worklists import Worklist, cached_worklists, choices, keep_worklist

RIS = '[[ris]]\nname = "ris"\nae_title = "RIS"\nhost = "127.0.0.1"\n'
DEVICES = ("ecg1", "ecg2")
PATIENTS = ("P1", "P2", "P3")
STEPS = ("S1", "S2", "S3")
# What a power cut in a correction comes before, and whether nothing of the old patient may be sent any more.
CUTS = {
    "gateway.spool.offers.withhold": False,
    "gateway.spool.holding.correct": True,
    "gateway.spool.reattribution.make": True,
    "gateway.spool.marks.waive": True,
    "gateway.spool.offers.withdraw": True,
}


class PowerCut(BaseException):
    """Nothing after it happens."""


def item(step: str, patient: str, study: str) -> dict[str, Any]:
    return {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"Name^{patient}"}]},
        "00100020": {"vr": "LO", "Value": [patient]},
        "0020000D": {"vr": "UI", "Value": [study]},
        "00400100": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": [step]}}]},
    }


class Watching(Pacs):
    """A PACS that tells of each offer before it takes it."""

    def __init__(self, offered: Callable[[pydicom.Dataset], None]) -> None:
        super().__init__()
        self.offered = offered

    def send(
        self, peer: Peer, instances: Sequence[InstanceRef], progress: Callable[..., None] | None = None
    ) -> Iterator[tuple[InstanceRef, Outcome]]:
        for one in instances if self.away is None else ():
            self.offered(pydicom.dcmread(io.BytesIO(Path(one.path).read_bytes())))
        return super().send(peer, instances, progress)


class Ward(RuleBasedStateMachine):
    """Operators, devices, a RIS and a box; ``may_be`` is the model."""

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="ward-"))
        path = self.folder / "gateway.toml"
        text = CONFIGURATION.format(folder=self.folder) + RIS
        path.write_text(text + DESTINATION.format(name="pacs", port=104, policy="commitment"))
        self.settings = configuration.load(path)
        self.here = self.settings.places
        self.boots = 1
        self.patched = contextlib.ExitStack()
        for module in (clock, exam, intake):
            self.patched.enter_context(mock.patch.object(module, "boot_id", lambda: f"boot {self.boots}"))
        self.scheduled: dict[str, dict[str, Any]] = {}  # in the RIS
        self.view: list[ScheduledStep] = []  # what the technician's screen shows, however old that is
        self.chosen: dict[str, str] = {}  # exam -> whom a person chose
        self.unsure: set[str] = set()  # exams whose step the RIS is known to have given to somebody else
        self.may_be: dict[str, set[str]] = {}  # recording -> patients
        self.said: dict[str, str] = {}  # recording -> whom its device named
        self.in_exam: dict[str, str | None] = {}
        self.wrapped: set[str] = set()
        self.looked_at: set[str] = set()  # recordings that a person confirmed
        self.studies = 0
        self.offers = 0
        self.pacs = Watching(self.judge)
        self.start_box()
        for step, patient in zip(STEPS, PATIENTS, strict=True):
            self.the_ris_schedules_or_changes_a_step(step, patient)
        self.the_box_asks_the_ris()
        self.the_technician_looks_at_the_list()

    def start_box(self) -> None:
        self.box = Box(self.settings, self.pacs)
        self.desk = Desk(self.settings, self.box.ledger, CLOCK, self.box.rewrap, self.box.remake, lambda: None)
        self.giving = Reattribution(self.settings, self.box.ledger, CLOCK, wrap, check, lambda: None)
        self.changes = StepChanges(self.here, "ris")

    def teardown(self) -> None:
        if hasattr(self, "box"):
            self.box.ledger.close()
            self.patched.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            target(float(self.offers), label="offers")

    def judge(self, offered: pydicom.Dataset) -> None:
        """The property: called before anything leaves the box."""
        if offered.SOPClassUID == rejection.SOP_CLASS:
            return  # it withdraws what the PACS has
        self.offers += 1
        (row,) = self.box.ledger.query("SELECT acquisition FROM instances WHERE uid = ?", str(offered.SOPInstanceUID))
        name, patient = row["acquisition"], str(offered.PatientID)
        assert self.may_be.get(name), f"{name} is nobody's, and is sent as of {patient}"
        assert patient in self.may_be[name], f"{name} of {self.may_be[name]} is sent as of {patient}"
        if name in self.said and name not in self.looked_at:
            assert patient == self.said[name], f"the device named {self.said[name]}, and it is sent as of {patient}"

    # The RIS.

    @rule(step=st.sampled_from(STEPS), patient=st.sampled_from(PATIENTS))
    def the_ris_schedules_or_changes_a_step(self, step: str, patient: str) -> None:
        self.studies += 1
        self.scheduled[step] = item(step, patient, f"2.25.{self.studies}")

    @rule(step=st.sampled_from(STEPS))
    def the_ris_drops_a_step(self, step: str) -> None:
        self.scheduled.pop(step, None)

    @rule()
    def the_box_asks_the_ris(self) -> None:
        steps = tuple(ScheduledStep(one, "ris") for one in self.scheduled.values())
        keep_worklist(self.here.worklist, Worklist("ris", CLOCK.wall(), steps))
        self.changes.look(steps, True, CLOCK.wall())
        for one in exam.still_open(self.here):
            known = ScheduledStep(one.attribution.item)
            now = self.scheduled.get(known.step_id)
            by_ris = one.attribution.how is Attributed.SCHEDULED
            if by_ris and now is not None and ScheduledStep(now).study_uid != known.study_uid:
                self.unsure.add(one.exam)

    # The technician.

    def cached(self) -> list[ScheduledStep]:
        return choices(cached_worklists(self.here.worklist), CLOCK.wall())

    @rule()
    def the_technician_looks_at_the_list(self) -> None:
        self.view = self.cached()

    def seen(self, number: int) -> tuple[ScheduledStep, dict[str, str]]:
        step = self.view[number % len(self.view)]
        return step, {"patient_id": step.patient_id, "study_uid": step.study_uid}

    @precondition(lambda self: self.view)
    @rule(device=st.sampled_from(DEVICES), number=st.integers(0, 2))
    def a_patient_is_chosen(self, device: str, number: int) -> None:
        step, seen = self.seen(number)
        with contextlib.suppress(GatewayError):
            made = start_exam(self.settings, (device,), step.step_id, seen=seen)
            self.chosen[made.exam] = step.patient_id

    @rule(device=st.sampled_from(DEVICES))
    def an_emergency_comes(self, device: str) -> None:
        with contextlib.suppress(GatewayError):
            made = start_exam(self.settings, (device,), emergency=True)
            self.chosen[made.exam] = ScheduledStep(made.attribution.item).patient_id
            assert list(self.chosen.values()).count(self.chosen[made.exam]) == 1

    def still_open(self) -> list[str]:
        """As they were begun: those of one second have names by chance, and an example must be the same each time."""
        return [one.exam for one in sorted(exam.still_open(self.here), key=lambda one: one.opened.monotonic)]

    @precondition(lambda self: exam.still_open(self.here))
    @rule(number=st.integers(0, 3), broken_off=st.booleans())
    def an_exam_is_ended(self, number: int, broken_off: bool) -> None:
        there = self.still_open()
        status, why = ("DISCONTINUED", reasons.UNSPECIFIED) if broken_off else ("COMPLETED", None)
        exam.close_exam(self.here, CLOCK, there[number % len(there)], status, why)

    @precondition(lambda self: self.view)
    @rule(device=st.sampled_from(DEVICES), number=st.integers(0, 2), named=st.sampled_from((None, None, *PATIENTS)))
    def an_exam_goes_as_it_should(self, device: str, number: int, named: str | None) -> None:
        self.a_patient_is_chosen(device, number)
        self.a_device_records(device, named, False)
        if (there := exam.current(self.here, device)) is not None:
            exam.close_exam(self.here, CLOCK, there.exam)

    @precondition(lambda self: self.view)
    @rule(device=st.sampled_from(DEVICES), number=st.integers(0, 2), to=st.sampled_from(PATIENTS), told=st.booleans())
    def an_order_changes_in_mid_exam(self, device: str, number: int, to: str, told: bool) -> None:
        self.a_patient_is_chosen(device, number)
        if (there := exam.current(self.here, device)) is not None and there.attribution.how is Attributed.SCHEDULED:
            self.the_ris_schedules_or_changes_a_step(ScheduledStep(there.attribution.item).step_id, to)
            if told:
                self.the_box_asks_the_ris()
        self.a_device_records(device, None, False)
        self.the_box_works()

    # The device.

    @rule(device=st.sampled_from(DEVICES), named=st.sampled_from((None, None, *PATIENTS)), cut_off=st.booleans())
    def a_device_records(self, device: str, named: str | None, cut_off: bool) -> None:
        """By a foot switch or by itself: in whichever exam it is, if any."""
        whose = device_exam(self.here, CLOCK, self.settings.device(device))
        name = record(self.settings, whose, 200, device=device, end=not cut_off)
        self.in_exam[name] = whose
        self.may_be[name] = {self.chosen[whose]} if whose else set()
        if named is not None:
            path = self.here.acquisition(name) / IDENTIFIED
            fsops.write_json(path, {"version": 1, "said": [["patient_id", named]]})
            self.said[name] = named
            if whose is None:
                self.may_be[name] = {named}  # and nobody else, if that is plain

    # The box.

    @rule()
    def the_box_wraps(self) -> None:
        self.box.take_in()
        for row in self.box.ledger.query("SELECT acquisition, folder, exam FROM instances"):
            name = row["acquisition"]
            if name not in self.wrapped and row["exam"] in self.unsure:
                assert name in self.looked_at, f"the order of {name} became somebody else's, and it was wrapped"
            if name not in self.wrapped and self.in_exam[name] is None:
                fitting = [s for s in self.cached() if s.patient_id == self.said[name]]
                assert len(fitting) == 1, f"{name} was given to one of {len(fitting)} steps"
            self.wrapped.add(name)

    @rule()
    def the_box_sends(self) -> None:
        with self.box.ledger.change() as c:
            c.execute("UPDATE deliveries SET next_try = 0")  # as if it had waited long enough
        for courier in self.box.couriers:
            courier.pause.end()
        self.box.deliver()

    @rule()
    def the_box_works(self) -> None:
        """What it does all the time, if nothing comes in between."""
        self.the_box_wraps()
        self.the_box_sends()

    @rule()
    def the_network_comes_or_goes(self) -> None:
        self.pacs.away = Outcome("retry", "closed", "nothing listens") if self.pacs.away is None else None

    @rule(ledger_lost=st.booleans())
    def the_mains_fail(self, ledger_lost: bool) -> None:
        self.box.ledger.close()
        if ledger_lost:
            for path in self.here.data.glob("ledger.sqlite*"):
                path.unlink()
        self.boots += 1
        self.start_box()
        for device in DEVICES:
            assert exam.current(self.here, device) is None, "nobody is selected after a reboot"

    # A person looks at what is held.

    def held(self, *kinds: str) -> list[str]:
        known = {r["id"] for r in self.box.ledger.query("SELECT id FROM acquisitions")}
        found = {name: holding.reason(self.here.acquisition(name)) for name in self.may_be if name in known}
        return [name for name, reason in found.items() if reason is not None and reason.kind in kinds]

    def nobodys(self) -> list[str]:
        return [name for name in self.held(holding.UNATTRIBUTED) if not self.in_exam[name]]

    @precondition(lambda self: self.view and self.nobodys())
    @rule(which=st.integers(0, 3), number=st.integers(0, 2))
    def a_held_recording_is_given_to_a_patient(self, which: int, number: int) -> None:
        there = self.nobodys()
        name = there[which % len(there)]
        step, seen = self.seen(number)
        try:
            named = identity.scheduled(self.here, [step.step_id], seen)
        except GatewayError:
            return
        made = exam.open_exam(self.here, CLOCK, (), *named)
        try:
            self.desk.handlers["attribute"]({"instance": name, "to": made.exam, "who": "Ann"})
        except Held:
            exam.close_exam(self.here, CLOCK, made.exam, "DISCONTINUED")
            return
        exam.close_exam(self.here, CLOCK, made.exam)
        self.chosen[made.exam] = step.patient_id
        self.may_be[name], self.in_exam[name] = {step.patient_id}, made.exam

    @precondition(lambda self: self.held(holding.DOUBT))
    @rule(which=st.integers(0, 3))
    def what_was_in_doubt_is_confirmed(self, which: int) -> None:
        there = self.held(holding.DOUBT)
        name = there[which % len(there)]
        self.desk.handlers["release"]({"instance": name, "who": "Ann"})
        self.looked_at.add(name)

    def correctable(self) -> list[tuple[str, Exam]]:
        """Recordings of exams that are over."""
        found = []
        known = {r["id"] for r in self.box.ledger.query("SELECT id FROM acquisitions WHERE exam <> ''")}
        for name in (name for name in self.may_be if name in known):
            folder = self.here.acquisition(name)
            facts = holding.facts(folder)
            assert facts is not None
            whose = exam.load(self.here, holding.exam_of(folder, facts) or "")
            if whose.closed is not None:
                found.append((name, whose))
        return found

    @precondition(lambda self: self.view and self.correctable())
    @rule(which=st.integers(0, 5), number=st.integers(0, 2), cut=st.sampled_from((None, None, *CUTS)))
    def what_was_given_to_the_wrong_patient_is_corrected(self, which: int, number: int, cut: str | None) -> None:
        there = self.correctable()
        self.correct(*there[which % len(there)], number, cut)

    def correct(self, name: str, wrong: Exam, number: int, cut: str | None) -> None:
        step, seen = self.seen(number)
        with contextlib.suppress(GatewayError):
            named = identity.scheduled(self.here, [step.step_id], seen)
            right = corrections.correct(self.here, CLOCK, wrong, *named)
            self.chosen[right.exam] = step.patient_id
            self.give(name, right, cut, step.patient_id)
            exam.close_exam(self.here, CLOCK, right.exam)

    @precondition(lambda self: len(self.view) > 1)
    @rule(device=st.sampled_from(DEVICES), number=st.integers(0, 2), sent=st.booleans(), cut=st.sampled_from([*CUTS]))
    def a_mixed_up_exam_is_corrected_at_once(self, device: str, number: int, sent: bool, cut: str) -> None:
        before = len(self.may_be)
        self.an_exam_goes_as_it_should(device, number, None)
        self.the_box_wraps()
        if sent:
            self.the_box_sends()
        latest = [one for one in self.correctable() if one[0] in list(self.may_be)[before:]]
        if latest:
            self.correct(*latest[0], number + 1, cut)

    def give(self, name: str, right: Exam, cut: str | None, patient: str) -> None:
        order = {"instance": name, "to": right.exam, "who": "Ann"}
        before = self.may_be[name]
        if cut is not None:
            with contextlib.suppress(PowerCut), mock.patch(cut, side_effect=PowerCut):
                self.giving.asked(order)
            self.may_be[name] = {patient} if CUTS[cut] else before | {patient}
            self.looked_at |= {name} if CUTS[cut] else set()
            self.the_mains_fail(False)
            self.box.take_in()
            self.box.deliver()
        self.giving.asked(order)
        self.may_be[name], self.in_exam[name] = {patient}, right.exam
        self.looked_at.add(name)  # a person says whose it is, whatever the device said

    # What always holds.

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "may_be"):
            return
        for name in self.may_be:
            assert self.here.acquisition(name).exists(), f"{name} is gone"

    @invariant()
    def what_the_pacs_has_of_another_patient_is_withdrawn_from_it(self) -> None:
        """For what was corrected: nothing of the wrong patient waits to be sent."""
        if not hasattr(self, "box"):
            return
        rows = self.box.ledger.query(
            "SELECT i.acquisition, i.exam, i.folder FROM deliveries d JOIN instances i ON i.uid = d.instance"
            " WHERE d.state = 'QUEUED' AND d.held IS NULL AND d.waived IS NULL"
        )
        for row in rows:
            if not layout.is_rejection(row["folder"]) and row["exam"] in self.chosen:
                allowed = self.may_be[row["acquisition"]]
                assert self.chosen[row["exam"]] in allowed, (
                    f"{row['acquisition']} waits to be sent to the wrong patient"
                )


TestNoRecordingGoesToAWrongPatient = Ward.TestCase
TestNoRecordingGoesToAWrongPatient.settings = settings(
    max_examples=1000 if SLOW else 15,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
