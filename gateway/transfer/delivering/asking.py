"""Asking one destination for the commitment of what it has stored, and asking again where no report comes.

A Transaction UID is in the ledger before its request is sent; a request that is refused, or never answered by a report,
has used it up (PS3.4 J.3.2). Part of :class:`gateway.transfer.delivering.courier.Courier`, and of its thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from gateway.errors import GatewayError, Held
from gateway.identifiers import new_uid
from gateway.spool import transactions
from gateway.spool.deliveries import Due
from gateway.transfer.calling import peers
from gateway.transfer.calling.outcomes import PEERS_OWN, Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.committing import reports
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.delivering.duty import Duty
from gateway.transfer.delivering.lingering import Lingering

log = logging.getLogger(__name__)
_RESTARTED = "asked again after a restart"


class Asking:
    def __init__(self, duty: Duty) -> None:
        self._duty = duty
        self._settings = duty.settings
        self._destination = duty.destination
        self._ledger = duty.ledger
        self._clock = duty.clock
        self._request = duty.by.request
        self._look = duty.by.look
        self._lingering = Lingering(duty.destination.timeout)
        self._started = False

    def look_after(self, beat: Callable[[], None]) -> Outcome | None:
        """Ask a peer that does not call back what became of its requests; what it does not know is asked again.

        Why it cannot be asked now, or None.
        """
        if self._look is None:
            return None
        peer = peers.commitment(self._settings.box, self._destination, self._destination.policy)
        for transaction in transactions.unfinished(self._ledger, self._destination.name):
            beat()
            try:
                known = self._look(peer, transaction, lambda report: self._take(report, peer))
            except Failed as failed:
                return failed.outcome
            if not known:
                words = "the peer does not know the request; asked again"
                transactions.give_up(self._ledger, transaction, words, self._clock.wall(), _at_once)
        return None

    def again(self) -> None:
        """Give up the requests that no report has answered in time.

        At the start that is all of them, but with a peer that is looked after: nobody knows whether they were sent, or
        whether the report came while the box was down. A report that comes yet is taken all the same.
        """
        name, started, self._started = self._destination.name, self._started or self._look is not None, True
        patience = self._destination.commitment_timeout if started else 0
        for transaction in transactions.overdue(self._ledger, name, self._clock.wall(), patience):
            words = f"no commitment report within {patience} s; asked again" if started else _RESTARTED
            later = self._duty.later if started else _at_once
            if started:
                waits = self._lingering.in_vain()
                log.warning(
                    "%s: %s (transaction %s); the next request waits up to %.0f s for it on its association",
                    *(name, words, transaction, waits),
                )
            else:
                log.info("%s: %s (transaction %s)", name, words, transaction)
            transactions.give_up(self._ledger, transaction, words, self._clock.wall(), later, in_vain=started)

    def ask(self, found: Sequence[Due], beat: Callable[[], None]) -> bool:
        """Ask for ``found`` under one transaction; True if the peer has taken the request.

        What a peer refuses for good may be one instance among many: it is asked for the halves, until it
        is known which.
        """
        name, transaction = self._destination.name, new_uid()
        uids = [d.instance.sop_instance_uid for d in found]
        transactions.ask(self._ledger, transaction, name, uids, self._clock.wall())
        beat()
        outcome = self._ask(transaction, found, beat)
        beat()
        if outcome.good:
            return True
        splits = outcome.kind == "hold" and outcome.code not in PEERS_OWN and len(found) > 1
        held = outcome.words if outcome.kind == "hold" and not splits else None
        transactions.give_up(self._ledger, transaction, outcome.words, self._clock.wall(), self._duty.later, held)
        level = logging.ERROR if held else logging.WARNING
        how = f"; {len(found)} instances are asked for again in halves, to see which it is" if splits else ""
        log.log(level, "%s did not take the commitment request: %s%s", name, outcome.words, how)
        if not splits:
            return False
        middle = len(found) // 2
        halves = [self.ask(half, beat) for half in (found[:middle], found[middle:])]
        return all(halves)

    def _ask(self, transaction: str, found: Sequence[Due], beat: Callable[[], None]) -> Outcome:
        """Send the request, and wait for the report as long as this peer is known to need."""
        came = False

        def take(report: Report) -> Answer:
            nonlocal came
            answer = self._take(report, peer)
            came = came or report.transaction_uid == transaction
            return answer

        def elsewhere() -> bool:
            beat()
            return transactions.is_finished(self._ledger, transaction)

        waits = self._lingering.seconds()
        try:
            peer = peers.commitment(self._settings.box, self._destination, found[0].policy)
            outcome = self._request(peer, transaction, [d.instance for d in found], take, waits, elsewhere)
        except GatewayError as error:
            return Outcome("hold" if isinstance(error, Held) else "retry", "", str(error))
        if came:
            self._lingering.came()
        elif self._look is None and outcome.good and waits and self._lingering.did_not_come():
            log.info(
                "%s does not report on the association of a request; that is not waited for any more, but its reports"
                " are taken whenever and however they come",
                peer,
            )
        return outcome

    def _take(self, report: Report, peer: Peer) -> Answer:
        return reports.take(self._ledger, self._settings, self._clock, report, peer.title)


def _at_once(_attempts: int) -> float:
    return 0.0
