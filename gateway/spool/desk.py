"""What a person may ask about the queue and decide about it; every decision is in the audit trail before it happens.

A subject is an instance UID, the id of a recording that is no instance yet, or the name of an import, which stands for
each instance that it brought back.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import exam
from gateway.clock import Clock
from gateway.errors import Held, Misuse
from gateway.model import Facts
from gateway.settings import Settings
from gateway.spool import audit, deliveries, holding, imports, instances, layout, leftovers, marks, steps
from gateway.spool.empty import empty
from gateway.spool.instances import Wanted
from gateway.spool.ledger import Ledger
from gateway.spool.routing import NO_RULE
from gateway.spool.space import Candidate, candidate, patience, purgeable
from gateway.spool.states import Acquisition, Instance, Rank

log = logging.getLogger(__name__)
MOST = 500  # rows in one answer

Request = dict[str, Any]
Answer = dict[str, Any]
Rewrap = Callable[[str, str, str], str]
Remake = Callable[[str], None]


class Desk:
    """``rewrap`` and ``remake`` are the spool's, bound to its wrapper; ``ring`` wakes the workers after a decision."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
        rewrap: Rewrap,
        remake: Remake,
        ring: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._here = settings.places
        self._ledger = ledger
        self._clock = clock
        self._rewrap = rewrap
        self._remake = remake
        self._ring = ring

    @property
    def handlers(self) -> dict[str, Callable[[Request], Answer]]:
        """By the request's ``do``."""
        decisions = {
            "retry": self._release,
            "release": self._release,
            "hold": self._hold,
            "waive": self._waive,
            "discard": self._discard,
            "rewrap": self._wrap_again,
            "route": self._route,
            "attribute": self._attribute,
        }
        return {name: self._decided(decide) for name, decide in decisions.items()} | {
            "queue": self.queue,
            "queue-show": self.show,
            "exam": self.exam,
        }

    def queue(self, _request: Request) -> Answer:
        """What is not finished yet, at most :data:`MOST` of each: recordings, deliveries, steps."""
        recordings = self._ledger.query(
            "SELECT id, exam, device, state, held FROM acquisitions WHERE state <> 'WRAPPED' ORDER BY id LIMIT ?", MOST
        )
        waiting = self._ledger.query(
            "SELECT d.instance, d.destination, d.policy, d.state, d.held, d.attempts, d.words, d.queued_at,"
            " d.next_try, d.code, d.changed_at, d.stands_in_for, i.acquisition, i.exam, i.device, i.size, i.corrupt"
            " FROM deliveries d JOIN instances i ON i.uid = d.instance"
            " WHERE i.state = 'SPOOLED' AND i.settled_at IS NULL AND d.waived IS NULL AND d.taken_by IS NULL"
            " ORDER BY d.queued_at, d.instance LIMIT ?",
            MOST,
        )
        messages = self._ledger.query(
            "SELECT exam, ris, state, held, attempts, words, next_try, changed_at FROM steps"
            " WHERE state <> 'DONE' ORDER BY exam LIMIT ?",
            MOST,
        )
        nowhere = self._ledger.query(
            "SELECT uid AS instance, acquisition, exam, device, size, wrapped_at FROM instances"
            " WHERE unrouted AND state = 'SPOOLED' AND NOT discarded ORDER BY uid LIMIT ?",
            MOST,
        )
        return {
            "acquisitions": _plain(recordings),
            "deliveries": _plain(waiting),
            "steps": _plain(messages),
            "unrouted": [{**row, "words": NO_RULE} for row in _plain(nowhere)],
        }

    def show(self, request: Request) -> Answer:
        """All that is known of one instance or recording, and in words why it is still here."""
        subject = str(request["instance"])
        row = instances.instance(self._ledger, subject)
        if row is None:
            found = self._recording(subject)
            reason = holding.reason(self._here.acquisition(subject))
            return {"acquisition": dict(found), "held": str(reason) if reason else None}
        now = self._clock.now()
        with self._ledger.change() as c:
            one, keep = candidate(c, row), self._settings.spool.retention
            verdict = purgeable(one, keep, now.wall, now.trusted, patience(self._settings))
        rows = self._ledger.query("SELECT * FROM deliveries WHERE instance = ? ORDER BY destination", subject)
        return {"instance": dict(row), "deliveries": _plain(rows), "purgeable": verdict.allowed, "words": verdict.words}

    def exam(self, request: Request) -> Answer:
        """What has become of one exam: its recordings, instances and steps."""
        name = str(request["exam"])
        by_exam = "SELECT * FROM {} WHERE exam = ?"
        found = [r["uid"] for r in self._ledger.query("SELECT uid FROM instances WHERE exam = ?", name)]
        delivered = [
            row
            for uid in found
            for row in self._ledger.query("SELECT * FROM deliveries WHERE instance = ? ORDER BY destination", uid)
        ]
        return {
            "acquisitions": _plain(self._ledger.query(by_exam.format("acquisitions"), name)),
            "instances": _plain(self._ledger.query(by_exam.format("instances"), name)),
            "deliveries": _plain(delivered),
            "steps": _plain(self._ledger.query(by_exam.format("steps"), name)),
        }

    def _decided(self, decide: Callable[[str, Request], str]) -> Callable[[Request], Answer]:
        def handler(request: Request) -> Answer:
            subject = str(request.get("instance") or request.get("exam"))
            brought = imports.of_command(self._ledger, subject)
            words = [decide(one, request) for one in brought or [subject]][-1]
            words = f"{len(brought)} imported instances, each: {words}" if brought else words
            self._ring()
            return {"words": words}

        return handler

    def _note(self, request: Request, what: str, subject: str) -> None:
        who, why = str(request.get("who") or "local user"), str(request.get("why") or "")
        audit.append(self._here.audit, self._clock.now(), who, what, subject, why)

    def _release(self, subject: str, request: Request) -> str:
        if request.get("ris"):
            self._note(request, "release", f"{subject} for {request['ris']}")
            steps.hold_step(self._ledger, subject, str(request["ris"]), None, self._clock.wall())
            return "the step is told again"
        row = instances.instance(self._ledger, subject)
        if row is None:
            self._recording(subject)
            self._note(request, "release", subject)
            holding.release(self._here.acquisition(subject))
            instances.hold_acquisition(self._ledger, subject, None)
            return "the recording is wrapped again"
        self._note(request, "release", subject)
        if row["corrupt"] is not None:
            self._remake(subject)
        count = deliveries.release(self._ledger, subject, request.get("destination"), self._clock.wall())
        anew = "it is made anew, byte for byte; " if row["corrupt"] is not None else ""
        return f"{anew}{count} deliveries go on"

    def _hold(self, subject: str, request: Request) -> str:
        words = f"held by a person: {request.get('why') or 'no reason given'}"
        row = instances.instance(self._ledger, subject)
        now = self._clock.wall()
        self._note(request, "hold", subject)
        if row is None:
            self._recording(subject)
            reason = holding.Reason(holding.PERSON, words, f"gateway queue release {subject}", now)
            holding.hold(self._here.acquisition(subject), reason)
            instances.hold_acquisition(self._ledger, subject, str(reason))
            return "the recording is held"
        wanted = request.get("destination")
        held: set[str] = set()
        while names := self._goes_to(subject, wanted) - held:  # again: it may have been handed to a stand-in meanwhile
            for name in names:
                deliveries.hold(self._ledger, subject, name, "", words, now)
            held |= names
        return f"{len(held)} deliveries are held"

    def _goes_to(self, subject: str, wanted: str | None) -> set[str]:
        rows = self._ledger.query("SELECT destination FROM deliveries WHERE instance = ?", subject)
        return {r["destination"] for r in rows if wanted in (None, r["destination"])}

    def _waive(self, subject: str, request: Request) -> str:
        destination = str(request["destination"])
        self._note(request, "waive", f"{subject} for {destination}")
        words = f"waived by a person: {request.get('why') or 'no reason given'}"
        deliveries.waive(self._ledger, subject, destination, words, self._clock.wall())
        return f"{destination} is not waited for any more"

    def _discard(self, subject: str, request: Request) -> str:
        row = instances.instance(self._ledger, subject)
        if row is not None:
            if not row["test"] or Instance(row["state"]) is not Instance.SPOOLED:
                raise Held(
                    "only a test recording that is still here can be discarded", "waive its destinations instead"
                )
            self._note(request, "discard", subject)
            instances.mark_discarded(self._ledger, subject)
            return "it is deleted at the next purge"
        found, now = self._recording(subject), self._clock.now()
        nothing = Acquisition(found["state"]) is Acquisition.KEPT and empty(self._here.acquisition(subject))
        one = Candidate((), None, test=bool(found["test"]), discarded=True, empty=nothing)
        if found["held"] is None or not (verdict := purgeable(one, 0.0, now.wall, now.trusted)).allowed:
            words = "only a held test recording, or a held one without any sample, can be discarded"
            raise Held(words, "attribute or release it")
        self._note(request, "discard", subject)
        leftovers.discard(self._ledger, self._here.acquisition(subject))
        return verdict.words

    def _wrap_again(self, subject: str, request: Request) -> str:
        who = str(request.get("who") or "local user")
        return f"sent as {self._rewrap(subject, str(request['destination']), who)} instead"

    def _route(self, subject: str, request: Request) -> str:
        to, row = self._settings.destination(str(request["destination"])), instances.instance(self._ledger, subject)
        if row is None or Instance(row["state"]) is not Instance.SPOOLED:
            raise Misuse(f"there is no instance {subject} here", "gateway queue list shows all")
        self._note(request, "route", f"{subject} to {to.name}")
        path = self._here.data / row["path"]
        marks.route(path, to.name, f"sent there by a person: {request.get('why') or 'no reason given'}")
        with self._ledger.change() as c:
            wanted = Wanted(to.name, to.policy, rank=Rank.BACKLOG)
            instances.queue(c, layout.describe(self._here, path), [wanted], self._clock.wall())
        return f"it goes to {to.name}"

    def _attribute(self, subject: str, request: Request) -> str:
        """Give a recording of no exam, or of one that can no longer be read, to an open one; another's is refused."""
        name, folder = str(request["to"]), self._here.acquisition(subject)
        row = self._recording(subject)
        if Acquisition(row["state"]) is Acquisition.WRAPPED and row["exam"] == name:
            return f"it belongs to exam {name}"
        found, facts = exam.load(self._here, name), holding.facts(folder)
        # A forward that was stopped before it answered is asked again: what it did not come to is done now.
        if facts is None or holding.exam_if_known(folder, facts) != name:
            if found.closed is not None:
                raise Held(f"exam {name} is closed, and was reported so", "open an exam for it: gateway exam start")
            if facts is None or Acquisition(row["state"]) is Acquisition.WRAPPED or self._has_exam(folder, facts):
                raise Held(f"recording {subject} belongs to an exam already", "a correction is a step of its own")
            before = f", not to {facts.exam}, which cannot be read" if facts.exam else ""
            self._note(request, "attribute", f"{subject} to exam {name}{before}")
            holding.attribute(folder, name)
        held = holding.reason(folder)
        if held is None or held.kind == holding.UNATTRIBUTED:
            # At once, not when the intake comes by: what is held is left out of the exam's last message to the RIS.
            instances.attribute(self._ledger, subject, name)
            holding.release(folder)
        else:
            instances.see(self._ledger, folder, name, facts.device, facts.test)
        return f"it belongs to exam {name}"

    def _has_exam(self, folder: Path, facts: Facts) -> bool:
        try:
            name = holding.exam_of(folder, facts)
            return name is not None and bool(exam.load(self._here, name))
        except (Held, Misuse):
            return False

    def _recording(self, subject: str) -> sqlite3.Row:
        found = self._ledger.query("SELECT * FROM acquisitions WHERE id = ?", subject)
        if not found or Path(subject).name != subject:
            raise Misuse(f"there is no instance and no recording {subject!r}", "gateway queue list shows all")
        return found[0]


def _plain(rows: list[sqlite3.Row]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]
