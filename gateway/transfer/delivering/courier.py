"""One destination's worker: joins the ledger and the network.

It takes what is due, sends it, asks for the commitment of what the destination has stored, and asks again where no
report comes. What each answer means is said by :mod:`gateway.transfer.calling.outcomes`, what state follows by the
ledger. A refusal concerns one instance and is held; a peer that does not answer is left alone for a while, all of it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gateway.errors import Fatal, GatewayError, Held
from gateway.model import InstanceRef
from gateway.spool import audit, backoff, deliveries, lanes, offers, unharmed
from gateway.spool.deliveries import TO_ASK, Due, Taken
from gateway.transfer.calling import peers
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.throttle import Throttle
from gateway.transfer.delivering.asking import Asking
from gateway.transfer.delivering.caution import Caution
from gateway.transfer.delivering.duty import Duty
from gateway.transfer.delivering.pace import Pace

log = logging.getLogger(__name__)
_ASK_AT_MOST = 1000  # instances in one N-ACTION, where all of an exam are asked for at once
_TOGETHER = 0.5  # seconds of answers that go into the ledger with one sync, which takes longer than to send ten of them
_IDLE = 5.0  # seconds between two looks at the ledger, if nobody rings
_OF_THE_FILE = ("file-damaged", "file-unreadable")

Rewrap = Callable[[str, str, str, Callable[[], None]], str]  # instance, destination, who, beat -> the IOD it is now


class Courier:
    """Owned by one thread, which calls :meth:`turn` over and over. ``rewrap`` is the spool's, bound to its wrapper."""

    def __init__(self, duty: Duty, rewrap: Rewrap) -> None:
        self._duty = duty
        self._settings = duty.settings
        self.destination = duty.destination
        self._ledger = duty.ledger
        self._clock = duty.clock
        self._rewrap = rewrap
        self._send = duty.by.send
        self._probe = duty.by.probe
        self.asking = Asking(duty)
        rate = duty.destination.bandwidth * 1000  # bytes per second
        self._throttle = Throttle(rate) if rate else None
        self._pace = Pace(rate)
        self.pause = backoff.Pause(duty.destination.retry_first, duty.destination.retry_most, duty.clock.monotonic)
        self._caution = Caution(self.pause)
        self.failures: Counter[str] = Counter()  # calls that failed since the start, by the outcome's code
        self._taken: list[Taken] = []
        self._noted = 0.0  # monotonic
        self.words = "not tried yet"  # for people: how it went the last time
        self.answers: bool | None = None

    def turn(self, beat: Callable[[], None] = lambda: None) -> float:
        """Do what is due; returns the seconds after which to look again."""
        if (left := self.pause.left()) > 0:
            return min(left, _IDLE)
        if (unanswered := self.asking.look_after(beat)) is not None:
            self._judge(False, unanswered, {})
            return min(self.pause.left(), _IDLE)
        self.asking.again()
        try:
            more = self._send_due(lambda: self._alive(beat))
        finally:
            self._note_taken()
        more = self._ask_due(beat) or more
        if (left := self.pause.left()) > 0:
            return min(left, _IDLE)
        return 0.0 if more else _IDLE

    def probe(self) -> None:
        """Ask one that does not answer whether it does now, if it was left alone for long enough."""
        if self.pause.left() > 0:
            return
        try:
            outcome = self._probe(peers.destination(self._settings.box, self.destination))
        except GatewayError as error:
            outcome = Outcome("retry", "", str(error))
        self._judge(outcome.good, None if outcome.good else outcome, {})

    def _due(self, which: str, most: int) -> list[Due]:
        name, longest = self.destination.name, self.destination.retry_most
        return deliveries.due(self._ledger, self._settings.box.data, which, name, self._clock.wall(), longest, most)

    def _send_due(self, beat: Callable[[], None]) -> bool:
        """Send one batch; True if there may be more."""
        name, longest, data = self.destination.name, self.destination.retry_most, self._settings.box.data
        now = self._clock.wall()
        found, more = lanes.next_batch(self._ledger, data, name, now, longest, self._pace.most, self._pace.most_bytes)
        batch = {d.instance.sop_instance_uid: (d, hashed) for d in found if (hashed := self._hash(d, beat)) is not None}
        allowed = offers.offer(self._ledger, batch, self.destination.name) if batch else frozenset()
        batch = {uid: one for uid, one in batch.items() if uid in allowed}
        if not batch:
            return bool(found)
        peer = peers.destination(self._settings.box, self.destination, self._throttle)
        peer = self._caution.approach(peer)
        worked, broken, begun, untried = 0, None, set[str](), list[str]()
        failed: dict[str, Outcome] = {}

        def progress(instance: InstanceRef, _sent: int) -> None:
            begun.add(instance.sop_instance_uid)
            beat()

        began = self._clock.monotonic()
        for reference, outcome in self._send(peer, [d.instance for d, _ in batch.values()], progress):
            beat()
            one, hashed = batch[reference.sop_instance_uid]
            if outcome.kind == "retry":
                # A broken association gives one and the same outcome to the instance on its way and to all behind it,
                # which were not tried: the one that may have broken it must not bar the way of the others.
                if outcome is not broken:
                    failed[reference.sop_instance_uid] = outcome
                    self._postpone(one, outcome)
                else:
                    untried.append(reference.sop_instance_uid)
                broken = outcome
            else:
                worked += 1
                self._settle(one, hashed, outcome, beat)
        if broken is None:
            self._pace.went(worked, self._clock.monotonic() - began)
        else:
            self._pace.broke()
            self._wait(untried, broken, 0.0, counts=False)
        self._judge(bool(worked), broken, {uid: o for uid, o in failed.items() if uid in begun})
        return more or (broken is not None and worked > 0)

    def _hash(self, one: Due, beat: Callable[[], None]) -> str | None:
        """The SHA-256 of what is sent; None if the file is not as it was.

        It is read again before it is offered, by whoever sends it if that is who compares.
        """
        if one.sha256 and (one.attempts or self._duty.by.compares):
            return one.sha256
        return unharmed.sha256(self._ledger, one, beat)

    def _settle(self, one: Due, sha256: str, outcome: Outcome, beat: Callable[[], None]) -> None:
        if outcome.good:
            uid = one.instance.sop_instance_uid
            if outcome.kind == "warned":
                log.warning("instance %s: %s", uid, outcome.words)
            sent, now = outcome.sent_sha256 or sha256, self._clock.wall()
            self._taken.append(Taken(uid, sent, outcome.code, outcome.words, now, outcome.sent_syntax or None))
        elif outcome.code in _OF_THE_FILE and unharmed.sha256(self._ledger, one, beat) is None:
            return  # it said so, and has marked it
        elif outcome.code == "file-damaged":  # and it is whole when it is read once more
            self._postpone(one, outcome)
        elif outcome.code == "class-refused" and self._may_rewrap(one):
            self._send_instead(one, outcome, beat)
        else:
            self._hold(one, outcome.code, outcome.words)

    def _alive(self, beat: Callable[[], None]) -> None:
        beat()
        if self._clock.monotonic() - self._noted > _TOGETHER:
            self._note_taken()

    def _note_taken(self) -> None:
        """Put into the ledger what the destination has taken. A cut before this: it gets the same instance again."""
        taken, self._taken, self._noted = self._taken, [], self._clock.monotonic()
        if taken:
            audit.left(self._settings, self._clock, "transfer", self.destination.name, [one.uid for one in taken])
            deliveries.stored(self._ledger, self.destination.name, taken)

    def _hold(self, one: Due, code: str, words: str) -> None:
        uid, name = one.instance.sop_instance_uid, self.destination.name
        deliveries.hold(self._ledger, uid, name, code, words, self._clock.wall())
        log.error("instance %s is held for %s: %s", uid, name, words)

    def _send_instead(self, one: Due, refusal: Outcome, beat: Callable[[], None]) -> None:
        """Wrap it again in a class that the peer may take. Whatever goes wrong concerns this instance only."""
        uid, name = one.instance.sop_instance_uid, self.destination.name
        try:
            iod = self._rewrap(uid, name, "rule", beat)
        except Fatal:
            raise
        except Held as error:
            self._hold(one, refusal.code, f"{refusal.words}; {error}")
        except (GatewayError, OSError) as error:
            self._postpone(one, Outcome("retry", "", f"it cannot be wrapped again now: {error}"))
            log.warning("instance %s cannot be wrapped again for %s now: %s; tried again later", uid, name, error)
        except Exception as error:
            log.exception("instance %s: a defect of this program", uid)
            words = f"this program failed to wrap it again ({type(error).__name__}: {error}); report this"
            self._hold(one, refusal.code, f"{refusal.words}; {words}")
        else:
            log.warning("%s refuses the class of instance %s: sent as %s instead", name, uid, iod)

    def _may_rewrap(self, one: Due) -> bool:
        return any(d.name == one.device and d.refused_class == "rewrap" for d in self._settings.devices)

    def _postpone(self, one: Due, outcome: Outcome) -> None:
        self._wait([one.instance.sop_instance_uid], outcome, self._duty.later(one.attempts + 1), counts=True)

    def _wait(self, uids: Sequence[str], outcome: Outcome, until: float, counts: bool) -> None:
        name, now = self.destination.name, self._clock.wall()
        deliveries.postpone(self._ledger, uids, name, until, counts, outcome.code, outcome.words, now)

    def _judge(self, worked: bool, broken: Outcome | None, failed: Mapping[str, Outcome]) -> None:
        """Whether the peer as a whole is to be left alone for a while; said once per change.

        ``failed``: what it got to see and did not store, by SOP Instance UID.
        """
        name = self.destination.name
        if any(not outcome.is_status for outcome in failed.values()):
            self._caution.broke()
        words = "answers" if worked or broken is None else broken.words
        if broken is not None:
            self.failures[broken.code] += 1
        if not worked and broken is not None:
            seconds = self._caution.failed(failed, broken.wait)
            if self.words != words:
                log.warning("%s: %s; tried again in %.0f s, then at longer intervals", name, words, seconds)
        else:
            self._caution.worked(whole=broken is None)
            for uid, outcome in failed.items():
                log.warning("%s: instance %s waits, and is tried again later: %s", name, uid, outcome.words)
            if self.answers is False:
                log.info("%s answers again", name)
        self.answers, self.words = worked or broken is None, words

    def _ask_due(self, beat: Callable[[], None]) -> bool:
        """Ask for the commitment of one batch of what is stored; True if there may be more."""
        batch = self.destination.commitment_batch
        found = self._due(TO_ASK, batch or _ASK_AT_MOST)
        if not found or self.pause.left():
            return False
        more = len(found) == (batch or _ASK_AT_MOST)
        if not batch:
            exam = found[0].exam
            more, found = more or any(d.exam != exam for d in found), [d for d in found if d.exam == exam]
        policy = found[0].policy
        more, found = more or any(d.policy != policy for d in found), [d for d in found if d.policy == policy]
        return self.asking.ask(found, beat) and more
