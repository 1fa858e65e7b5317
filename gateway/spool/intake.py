"""From the recording to the spooled instance: RECORDING, KEPT, WRAPPED.

One thread walks over the recordings. What it finds on the disk decides, so that it may be stopped at any point
and begin again: records that nobody writes any more get their END, are wrapped into a hidden folder, checked, and
appear under their final name by one rename; only then the ledger hears of them. What cannot be wrapped, for a reason
or through a bug, is held with the reason beside it; it is neither lost nor tried in a hot loop.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway import exam, fsops, interrupted, records
from gateway.acquire.admission import MAKE_ROOM, MIB, room
from gateway.acquire.footprint import of_ended
from gateway.clock import Clock, boot_id
from gateway.device import Device
from gateway.dicom.check import Finding
from gateway.errors import Fatal, Held, Retry, in_words
from gateway.model import Attributed, Exam, Facts, InstanceRef, to_json
from gateway.places import FACTS, RECORDS, Places
from gateway.settings import Settings
from gateway.spool import dating, doubts, holding, instances, layout, leftovers, recognized
from gateway.spool.empty import without_samples
from gateway.spool.instances import Origin
from gateway.spool.ledger import Ledger
from gateway.spool.routing import Router
from gateway.spool.states import Acquisition
from gateway.spool.undisturbed import undisturbed
from gateway.spool.watched import Watched, names

log = logging.getLogger(__name__)
_NEWBORN = 60.0  # seconds in which a recording's files may still be about to appear
_AGAIN = 10.0  # seconds until the next try after a passing failure
_SPARE = 4 * MIB  # that wrapping leaves free; less than a running recording leaves (acquire.limit)

Wrap = Callable[[Path, Exam, Settings, Path, str | None, Callable[[], None]], Sequence[InstanceRef]]
Check = Callable[[Path], Sequence[Finding]]


class Intake:
    """``wrap`` and ``check`` are :func:`gateway.dicom.wrap.wrap` and :func:`gateway.dicom.check.check`."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock, wrap: Wrap, check: Check) -> None:
        self._settings = settings
        self._here = settings.places
        self._ledger = ledger
        self._clock = clock
        self._router = Router(settings)
        self._wrap = wrap
        self._check = check
        # What is among the instances at the start is known to the ledger, or adopted by spool.recover.
        self._watched = Watched(self._here.acquisitions, names(self._here.instances))
        self.again = self._watched.again
        self._not_before: dict[str, float] = {}  # monotonic; after a passing failure, or waiting for the clock
        self._waits_since: dict[str, float] = {}  # monotonic
        self._patience = settings.clock.wait  # seconds
        self.problems: dict[str, str] = {}  # recordings that cannot be wrapped now, and why

    def turn(self, beat: Callable[[], None] = lambda: None) -> int:
        """Look at every recording that is not wrapped yet; returns how many became instances."""
        count = 0
        for name in self._watched.names():
            beat()
            if self._clock.monotonic() < self._not_before.get(name, 0.0):
                continue
            try:
                count += self._take(name, beat)
            except (Retry, OSError) as error:
                if not self._here.acquisition(name).exists():
                    self.problems.pop(name, None)  # a person discarded it in this moment
                    continue
                self._not_before[name] = self._clock.monotonic() + _AGAIN
                words = in_words(error) if isinstance(error, OSError) else str(error)
                if name not in self.problems:  # said once; status has the latest
                    log.warning(
                        "recording %s cannot be wrapped now (%s); tried again every %.0f s", name, words, _AGAIN
                    )
                self.problems[name] = words
            else:
                if self.problems.pop(name, None) is not None:
                    log.info("recording %s goes on", name)
        return count

    def _take(self, name: str, beat: Callable[[], None]) -> bool:
        folder = self._here.acquisition(name)
        try:
            with undisturbed(beat):
                return self._advance(name, folder, beat)
        except Held as error:
            self._hold(name, folder, holding.REFUSED, error.message, error.fix)
        except (Fatal, Retry, OSError):
            raise
        except Exception as error:
            log.exception("recording %s: a defect of this program", name)
            words = f"this program failed on it ({type(error).__name__}: {error})"
            self._hold(name, folder, holding.DEFECT, words, "report this; after an upgrade: gateway queue release")
        return False

    def _advance(self, name: str, folder: Path, beat: Callable[[], None]) -> bool:
        held = holding.reason(folder)
        if held is not None and held.kind not in holding.ENDS_BY_ITSELF:
            self._note_held(name, folder, held)
            return False
        facts = holding.facts(folder)
        if facts is None:
            self._forget_unbegun(name, folder, abs(self._clock.wall() - folder.stat().st_mtime) < _NEWBORN)
            return False
        if not self._ended(name, folder, facts, beat):
            return False
        final = layout.folder(self._here, name, corrected=holding.corrected(folder))
        if not final.exists():
            found_exam = self._exam(name, folder, facts)
            if found_exam is None:
                return False
            if held is not None and held.kind == holding.UNATTRIBUTED:
                self._go_on(name, folder, found_exam)  # it counts for its exam, also while it waits for the clock
            if words := doubts.about(self._here, folder, found_exam):
                fix = f"if it is that patient's: gateway queue release {name}; else gateway exam attribute {name} ..."
                self._hold(name, folder, holding.DOUBT, words, fix)
                return False
            if not self._clock_allows(name, folder, facts):
                return False
            if held is not None:
                self._go_on(name, folder, found_exam)
            found_exam = dating.dated(self._here, self._clock, found_exam)
            self._room_for(facts, folder)
            make(folder, final, found_exam, self._settings, self._wrap, self._check, beat=beat)
        origin = Origin(final.name, name, holding.exam_of(folder, facts) or "", facts.device, facts.test)
        found = read_again(self._here, final, beat)
        instances.add(self._ledger, origin, found, self._router.choose(origin), self._clock.wall())
        self._watched.done(name)
        log.info("recording %s is wrapped and queued", name)
        return True

    def _room_for(self, facts: Facts, folder: Path) -> None:
        """Raises Retry if the instance would fill the disk: the ledger and the running recordings need some of it."""
        end = records.ending(folder / RECORDS)
        device = next(
            (d for d in self._settings.devices if d.name == facts.device),
            Device(name=facts.device, adapter=facts.adapter),
        )
        needed = of_ended(facts, end, device, self._settings.profile(device)) if end is not None else 0
        if (found := room(self._here.data)).free < _SPARE + needed:
            must = -(-(_SPARE + needed) // MIB)
            raise Retry(f"the disk is full: {found.mebibytes} MiB are free, its instance needs {must}", MAKE_ROOM)

    def _ended(self, name: str, folder: Path, facts: Facts, beat: Callable[[], None]) -> bool:
        """Whether the records have their END; what was cut off gets one. Empty recordings are held."""
        path = folder / RECORDS
        size = path.stat().st_size if path.exists() else 0
        if size < len(records.HEADER) and self._newborn(facts):
            return False
        if not path.exists():
            self._forget_unbegun(name, folder, newborn=False)
            return False
        state = instances.see(self._ledger, folder, holding.exam_if_known(folder, facts), facts.device, facts.test)
        if state is Acquisition.WRAPPED:
            self._watched.done(name)  # its instances have vanished: an alarm of the recovery, and for a person
            return False
        if records.being_written(path):
            return False
        end = interrupted.finish(path, facts.streams, beat)
        instances.ended(self._ledger, name, end.interrupted)
        if without_samples(end):
            words = "nothing was recorded: the device sent no sample"
            raise Held(words, f"there is nothing in it to lose: gateway queue discard {name}")
        return True

    def _forget_unbegun(self, name: str, folder: Path, newborn: bool) -> None:
        """A recording that was cut off before its first record: there is nothing in it to lose."""
        if not newborn and leftovers.never_began(folder):
            fsops.remove_folder(folder)
            log.warning("recording %s was cut off before its first sample; there is nothing to send", name)

    def _newborn(self, facts: Facts) -> bool:
        """Whether its capture may just be making the files: the lock that says so comes a moment after them."""
        age = self._clock.monotonic() - facts.noted.monotonic
        return facts.noted.boot == boot_id() and age < _NEWBORN

    def _exam(self, name: str, folder: Path, facts: Facts) -> Exam | None:
        """The exam, if it is somebody's; else the recording is held until a person says whose it is."""
        found, words, fix = None, "it belongs to nobody yet", f"gateway exam attribute {name} --step SPS_ID"
        try:
            exam_id = holding.exam_of(folder, facts)
            found = exam.load(self._here, exam_id) if exam_id and self._here.exam(exam_id).exists() else None
            if found is None and facts.exam is None and exam_id in (None, recognized.exam_id(facts)):
                found, why = recognized.recognize(self._settings, self._clock, folder, facts)
                words = why or words
                if found is not None:
                    instances.attribute(self._ledger, name, found.exam)
        except Held as error:
            words = f"nobody can say whose it is: {error}"
        if found is not None and found.attribution.how is not Attributed.NOBODY:
            return found
        if found is not None:
            fix = f"gateway exam attribute {found.exam}"
        self._hold(name, folder, holding.UNATTRIBUTED, words, fix)
        return None

    def _clock_allows(self, name: str, folder: Path, facts: Facts) -> bool:
        """A recording dated by an untrusted clock waits a while for a better one (settings section clock).

        When trust comes within the same boot, the monotonic clock tells when the recording really began.
        """
        now = self._clock.now()
        then = facts.noted
        if then.trusted:
            return True
        if now.trusted and now.boot == then.boot:
            began = now.wall - (now.monotonic - then.monotonic)
            log.info("recording %s began %+.0f s from what the clock said then", name, began - then.wall)
            true = dataclasses.replace(then, wall=began, trusted=True)
            dated = dataclasses.replace(facts, taken=true) if facts.taken else dataclasses.replace(facts, started=true)
            fsops.write_json(folder / FACTS, to_json(dated))
            return True
        if not now.trusted and now.monotonic - self._waits_since.setdefault(name, now.monotonic) < self._patience:
            return False
        if self._settings.clock.untrusted == "hold":
            fix = "let the box reach a time server, or set clock.untrusted to send"
            self._hold(name, folder, holding.CLOCK, "it was dated by a clock that nobody had set", fix)
            return False
        return True

    def _hold(self, name: str, folder: Path, kind: str, words: str, fix: str) -> None:
        reason = holding.Reason(kind, words, fix, self._clock.wall())
        before = holding.reason(folder)
        if before is None or (before.kind, before.words) != (kind, words):
            holding.hold(folder, reason)
            log.warning("recording %s is held: %s", name, reason)
        self._note_held(name, folder, reason)

    def _go_on(self, name: str, folder: Path, found_exam: Exam) -> None:
        instances.attribute(self._ledger, name, found_exam.exam)
        holding.release(folder)

    def _note_held(self, name: str, folder: Path, reason: holding.Reason) -> None:
        try:
            facts = holding.facts(folder)
        except Held:
            facts = None
        device, test = (facts.device, facts.test) if facts else ("", False)
        exam_id = holding.exam_if_known(folder, facts) if facts else ""
        rows = self._ledger.query("SELECT held, exam FROM acquisitions WHERE id = ?", name)
        if not rows or rows[0]["held"] != str(reason) or rows[0]["exam"] != exam_id:
            instances.see(self._ledger, folder, exam_id, device, test)
            instances.hold_acquisition(self._ledger, name, str(reason))


def make(
    folder: Path,
    final: Path,
    found_exam: Exam,
    settings: Settings,
    wrap: Wrap,
    check: Check,
    iod: str | None = None,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Wrap one recording so that all its instances appear in ``final`` at once, each free of errors.

    Raises Held, leaving nothing behind, if it cannot be wrapped or the check finds an error.
    """
    workplace = layout.unfinished(final)
    fsops.remove_folder(workplace)
    fsops.make_folder(workplace)
    try:
        for made in wrap(folder, found_exam, settings, workplace, iod, beat):
            beat()
            errors = [f for f in check(Path(made.path)) if f.severity == "error"]
            if errors:
                more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
                raise Held(f"the instance made of it is not valid: {errors[0]}{more}", "report this; nothing is sent")
        if not any(layout.files(workplace)):
            raise Held("no instance could be made of it", "report this")
        layout.write_sums(workplace, beat)
    except Exception:
        fsops.remove_folder(workplace)
        raise
    fsops.rename(workplace, final)


def read_again(
    here: Places, final: Path, beat: Callable[[], None] = lambda: None
) -> list[tuple[layout.Described, str | None]]:
    """What the instances in a finished folder say of themselves, and their SHA-256 as it was when they were written."""
    sums = layout.read_sums(final)
    return [
        (layout.describe(here, path), sums.get(path.stem) or layout.sha256(path, beat)) for path in layout.files(final)
    ]
