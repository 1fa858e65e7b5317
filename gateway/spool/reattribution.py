"""A recording that was given to the wrong patient is given to the right one, whatever had become of it.

What was made of it under the wrong name is withheld first, and withdrawn when the corrected copy is there; a PACS that
may have it already gets a rejection note beside the copy (:mod:`gateway.dicom.rejection`). Each step is on the disk
before the next one, and may be repeated. A power cut in between leaves the recording withheld, never sent to either:

    1. the audit trail says who decided it
    2. nothing of the old is offered any more: marks beside the instances, then the ledger
    3. attributed.json says whose it is
    4. the corrected instances appear, and the rejection note, each by one rename
    5. the old ones are withdrawn: marks, then, in one transaction, the ledger queues the new ones in their place

The new instances have UIDs of their own, those of their step and patient. That the old ones were never offered is known
(offers.offer notes it before a byte is sent), but a copy under the same UID on some stick is not.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway import exam, fsops
from gateway.clock import Clock
from gateway.dicom import rejection
from gateway.errors import Held, Misuse
from gateway.model import Attributed, Exam, Facts
from gateway.settings import Settings
from gateway.spool import audit, dating, doubts, holding, instances, layout, marks, offers
from gateway.spool.instances import Origin, Wanted
from gateway.spool.intake import Check, Wrap, make, read_again
from gateway.spool.ledger import Ledger
from gateway.spool.routing import MEDIA, Router
from gateway.spool.states import Acquisition
from gateway.spool.undisturbed import undisturbed

log = logging.getLogger(__name__)


class Reattribution:
    """``wrap`` and ``check`` as for the intake; ``ring`` wakes the workers afterwards."""

    def __init__(
        self, settings: Settings, ledger: Ledger, clock: Clock, wrap: Wrap, check: Check, ring: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._here = settings.places
        self._ledger = ledger
        self._clock = clock
        self._wrap = wrap
        self._check = check
        self._ring = ring

    def asked(self, request: dict[str, Any]) -> dict[str, Any]:
        """``reattribute``: {"instance": RECORDING, "to": EXAM, "who", "why"} -> {"words"}; may be asked again."""
        with undisturbed():
            words = self._reattribute(str(request["instance"]), str(request["to"]), request)
        self._ring()
        return {"words": words}

    def _reattribute(self, recording: str, to: str, request: dict[str, Any]) -> str:
        folder, facts = self._recording(recording)
        target, was = exam.load(self._here, to), holding.exam_of(folder, facts)
        if was != to and (target.corrects is None or target.corrects.exam != was):
            raise Held(f"exam {to} does not correct the one that recording {recording} belongs to", "attribute it anew")
        if target.attribution.how is Attributed.NOBODY:
            raise Held(f"exam {to} is nobody's", "name a patient")
        who, why = str(request.get("who") or "local user"), str(request.get("why") or "")
        audit.append(self._here.audit, self._clock.now(), who, "reattribute", f"{recording} from {was} to {to}", why)
        old = self._made_before(recording, to)
        words = f"withheld: the recording is being given to exam {to}; if that was cut off, do it again"
        for row in old:
            offers.withhold(self._ledger, self._here.data / row["path"], words, self._clock.wall())
        if was != to:
            holding.correct(folder, to, was or "")
        if not old and not layout.folder(self._here, recording, corrected=to).exists():
            return self._go_on(recording, folder, to)
        return self._replace(folder, facts, target, old)

    def _recording(self, recording: str) -> tuple[Path, Facts]:
        known = self._ledger.query("SELECT 1 FROM acquisitions WHERE id = ?", recording)
        folder = self._here.acquisition(recording)
        if not known or Path(recording).name != recording:
            raise Misuse(f"there is no recording {recording!r}", "gateway queue list shows all")
        facts = holding.facts(folder)
        if facts is None:
            raise Held(
                f"the raw recording {recording} is gone: no corrected copy can be made here",
                "let the archive correct the patient of what it has (IHE PIR)",
            )
        return folder, facts

    def _made_before(self, recording: str, to: str) -> list[sqlite3.Row]:
        """Every instance that was made for another exam and is still here; one that is not can be withdrawn no more."""
        rows = self._ledger.query("SELECT * FROM instances WHERE acquisition = ? ORDER BY uid", recording)
        of_others = [r for r in rows if not layout.is_rejection(r["folder"]) and layout.exam_in(r["folder"]) != to]
        if gone := [r["uid"] for r in of_others if not (self._here.data / r["path"]).exists()]:
            words = f"instance {gone[0]} is not here any more: no rejection note can name its study"
            raise Held(words, "let the archive correct the patient of what it has (IHE PIR)")
        return of_others

    def _go_on(self, recording: str, folder: Path, to: str) -> str:
        """Nothing was made of it yet: the intake wraps it, unless something else than its patient holds it."""
        held = holding.reason(folder)
        if held is None or held.kind in (holding.UNATTRIBUTED, holding.DOUBT):
            doubts.confirm(self._here, folder, exam.load(self._here, to))  # a person says whose it is
            instances.attribute(self._ledger, recording, to)
            holding.release(folder)
        else:
            with self._ledger.change() as c:
                c.execute("UPDATE acquisitions SET exam = ? WHERE id = ?", (to, recording))
        return f"it belongs to exam {to}"

    def _replace(self, folder: Path, facts: Facts, target: Exam, old: list[sqlite3.Row]) -> str:
        here, recording = self._here, folder.name
        final = layout.folder(here, recording, corrected=target.exam)
        if not final.exists():
            whose = dating.dated(here, self._clock, target)
            make(folder, final, whose, self._settings, self._wrap, self._check)
        origin = Origin(final.name, recording, target.exam, facts.device, facts.test)
        found, now = read_again(here, final), self._clock.wall()
        choose = Router(self._settings).choose(origin)
        everywhere = {w.destination for one, _ in found for w in choose(one)}
        notes = [
            (Origin(note.name, recording, "", facts.device, facts.test), read_again(here, note), to_whom)
            for note, to_whom in self._rejections(final, target, old)
        ]
        words = f"withdrawn: the recording belongs to exam {target.exam}"
        for row in old:
            marks.waive(here.data / row["path"], marks.EVERY, words)
        with self._ledger.change() as c:
            instances.insert(c, origin, found, choose, now)
            for of_note, note_found, to_whom in notes:
                instances.insert(c, of_note, note_found, to_whom, now)
            for row in old:
                offers.withdraw(c, row["uid"], final.name, everywhere, words, now)
            c.execute(
                "UPDATE acquisitions SET exam = ?, state = ?, held = NULL WHERE id = ?",
                (target.exam, Acquisition.WRAPPED, recording),
            )
        told = sorted({w.destination for _, _, whom in notes for w in whom})
        said = f"it belongs to exam {target.exam}, and is sent anew"
        said += f"; {', '.join(told)} may have the old one, and is told that it is withdrawn" if told else ""
        if MEDIA in everywhere:
            said += f"; a stick may have it too: gateway media remove {old[0]['uid'] if old else 'UID'}"
        log.warning("recording %s: %s", recording, said)
        return said

    def _rejections(self, final: Path, target: Exam, old: list[sqlite3.Row]) -> list[tuple[Path, list[Wanted]]]:
        """The note about what some PACS may have, and which: nothing is said to who was never offered it."""
        there = {d.name for d in self._settings.destinations}
        offered = {r["uid"]: offers.offered_to(self._ledger, r["uid"]) for r in old}
        to_whom = sorted({w for those in offered.values() for w in those if w.destination in there}, key=str)
        if not to_whom:
            return []
        note = final.with_name(layout.further(final.name, layout.REJECTION))
        if not note.exists():
            workplace = layout.unfinished(note)
            fsops.remove_folder(workplace)
            fsops.make_folder(workplace)
            self._write_notes(workplace, [r for r in old if offered[r["uid"]]], target)
            layout.write_sums(workplace)
            fsops.rename(workplace, note)
        return [(note, to_whom)]

    def _write_notes(self, workplace: Path, old: list[sqlite3.Row], target: Exam) -> None:
        """One for each exam that it had been given to: a note is of one patient and one study."""
        assert target.corrects is not None
        chosen = target.corrects.attribution.how is Attributed.SCHEDULED
        title = rejection.WRONG_ENTRY if chosen else rejection.PATIENT_SAFETY
        at = datetime.fromtimestamp(target.corrects.at.wall).astimezone()
        words = "These objects were stored under the wrong patient or order. Corrected copies were sent as new objects."
        for name in sorted({r["exam"] for r in old}):
            paths = [self._here.data / r["path"] for r in old if r["exam"] == name]
            rejection.write(paths, title, words, at, self._settings.box, workplace)
