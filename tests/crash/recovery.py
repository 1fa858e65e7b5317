"""The box starts again after a power cut, and persons decide what is theirs to decide."""

from __future__ import annotations

from crash.found import require, rows, told_of
from crash.story import Box, patient
from crash.told import Told

from gateway import exam
from gateway.acquire import standing
from gateway.clock import Clock
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.spool import holding
from gateway.spool.empty import TORN


def recover(settings: Settings, told: Told, when: Clock) -> None:
    """Captures and forward start again and do all they can by themselves."""
    for device in settings.devices:
        standing.resumed(settings.places, device.name, when.now(), 300.0)  # its capture comes up
        require(exam.current(settings.places, device.name) is None, f"{device.name} is still in an exam after a reboot")
    nobodys = {n: p for n, p in told.recordings.items() if p.exam is None and not given(settings, n)}
    before = {n: len(list(told_of(told, p))) for n, p in nobodys.items()}
    Box(settings, told, when).run()
    for name, promised in nobodys.items():
        require(len(list(told_of(told, promised))) == before[name], f"{name} is nobody's, and was sent")
    for name in told.recordings:
        hold, release = told.decided("hold", name), told.decided("release", name)
        if hold and hold.answered and not release:
            require(not list(told_of(told, told.recordings[name])), f"{name} is held by a person, and was sent")

    for uid, one in told.imported.items():
        sent = any(uid in pacs.held for pacs in told.pacs.values())
        require(not sent or not one.held or told.decided("release", uid), f"{uid} came from other media, and was sent")


def given(settings: Settings, name: str) -> bool:
    """Whether a person's attribution is on the disk, or whatever became of the recording since."""
    folder = settings.places.acquisition(name)
    try:
        facts = holding.facts(folder)
        return facts is None or holding.exam_of(folder, facts) is not None
    except Exception:
        return True


def finish(settings: Settings, told: Told, when: Clock) -> None:
    """A person decides what is left to decide, and the box ends its work."""
    box = Box(settings, told, when)
    box.take_in()
    for row in rows(settings, "SELECT id, held, exam, test FROM acquisitions WHERE state <> 'WRAPPED'"):
        name = row["id"]
        nothing = "the device sent no sample" in str(row["held"])
        if nothing and (settings.places.acquisition(name) / TORN).exists():
            continue  # nobody knows what was torn: it stays for a person
        if row["test"] or nothing:
            box.decide("discard", name)
            continue
        waits = ("held by a person", "it belongs to nobody yet")
        require(str(row["held"]).startswith(waits), f"{name} is held, and no power cut should do that: {row['held']}")
        if not row["exam"]:
            whose = open_for(settings, told, when, name)
            box.decide("attribute", name, to=whose)
            exam.close_exam(settings.places, when, whose)
        box.decide("release", name)
    box.take_in()
    for row in rows(settings, "SELECT instance, destination FROM deliveries WHERE held IS NOT NULL AND waived IS NULL"):
        box.decide("release", row["instance"], row["destination"])
    for _ in range(3):
        box.deliver()
        box.purger.turn()
    box.ledger.close()


def open_for(settings: Settings, told: Told, when: Clock, name: str) -> str:
    told.patients[name] = "PAT-2"
    return exam.open_exam(settings.places, when, (), Attributed.SCHEDULED, patient(2)).exam
