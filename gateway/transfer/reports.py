"""A commitment report, from whichever association: into the ledger first, answered afterwards by the caller."""

from __future__ import annotations

import logging

from gateway.clock import Clock
from gateway.settings import Settings
from gateway.spool import backoff, transactions
from gateway.spool.ledger import Ledger
from gateway.spool.transactions import Failure
from gateway.transfer import outcomes, peers
from gateway.transfer.commitment import Report

log = logging.getLogger(__name__)
_NO_SUCH_INSTANCE = 0x0112
_EVENT = {"retry": "unanswered", "hold": "held"}


def take(ledger: Ledger, settings: Settings, clock: Clock, report: Report, caller: str) -> bool:
    """Note what ``report`` says; False for a transaction nobody here began. ``caller`` is the AE title it came from."""
    rows = ledger.query("SELECT destination FROM transactions WHERE uid = ?", report.transaction_uid)
    destination = next((d for d in settings.destinations if rows and d.name == rows[0]["destination"]), None)
    if destination is None:
        log.warning("%s reports on transaction %s, which this box did not begin", caller, report.transaction_uid)
        return False
    peer = peers.commitment(settings.box, destination)
    failed = {}
    for uid, reason in report.failed.items():
        outcome = outcomes.of_status(outcomes.COMMITMENT, reason, peer)
        event = "missing" if reason == _NO_SUCH_INSTANCE else _EVENT[outcome.kind]
        failed[uid] = Failure(event, outcome.code, outcome.words)

    def later(attempts: int) -> float:
        return clock.wall() + backoff.wait(attempts, destination.retry_first, destination.retry_most)

    known = transactions.report(ledger, report.transaction_uid, report.committed, failed, clock.wall(), later)
    log.info("%s has committed to %d instances, not to %d", caller, len(report.committed), len(failed))
    return known
