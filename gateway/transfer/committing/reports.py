"""A commitment report, from whichever association: into the ledger first, answered afterwards by the caller."""

from __future__ import annotations

import logging

from gateway.clock import Clock
from gateway.destination import Destination
from gateway.settings import Settings
from gateway.spool import backoff, transactions
from gateway.spool.ledger import Ledger
from gateway.spool.transactions import Failure
from gateway.transfer.calling import outcomes, peers
from gateway.transfer.committing.event_report import NOT_AUTHORIZED, SUCCESS, Answer, Report

log = logging.getLogger(__name__)
_NO_SUCH_INSTANCE = 0x0112
_EVENT = {"retry": "unanswered", "hold": "held"}


def take(ledger: Ledger, settings: Settings, clock: Clock, report: Report, caller: str) -> Answer:
    """Note what ``report`` says. ``caller`` is the AE title it came from.

    A transaction that nobody here began is answered with success and changes nothing: its peer has done its duty, and
    an error would only make it report for ever. But nobody commits for another: a report on a transaction is
    taken from whom it was asked of, and from whom the configuration lists.
    """
    rows = ledger.query("SELECT destination, finished FROM transactions WHERE uid = ?", report.transaction_uid)
    destination = next((d for d in settings.destinations if rows and d.name == rows[0]["destination"]), None)
    if destination is None:
        return Answer(SUCCESS, f"a report on transaction {report.transaction_uid}, which this box did not begin")
    if not may_report(settings, destination, caller):
        return Answer(
            NOT_AUTHORIZED,
            f"a report on transaction {report.transaction_uid}, which was asked of {destination.name};"
            " if it may, add its AE title to 'peers' under [listener]",
        )
    peer = peers.commitment(settings.box, destination)
    failed = {}
    for uid, reason in report.failed.items():
        outcome = report.because.get(uid) or outcomes.of_status(outcomes.COMMITMENT, reason, peer)
        event = "missing" if reason == _NO_SUCH_INSTANCE else _EVENT[outcome.kind]
        failed[uid] = Failure(event, outcome.code, outcome.words)

    def later(attempts: int) -> float:
        return clock.wall() + backoff.wait(attempts, destination.retry_first, destination.retry_most)

    by = report.verified_by
    transactions.report(ledger, report.transaction_uid, report.committed, failed, clock.wall(), later, by)
    level = logging.INFO if rows[0]["finished"] is None else logging.DEBUG  # the same again is no news
    what = f"has (verified by {by})" if by else "has committed to"
    log.log(level, "%s %s %d instances, not %d", caller, what, len(report.committed), len(failed))
    return Answer(SUCCESS)


def may_report(settings: Settings, destination: Destination, caller: str) -> bool:
    """Whether the AE title ``caller`` may say what ``destination`` commits itself to."""
    if destination.url:
        return caller == destination.url
    return caller in (destination.ae_title, destination.commitment_ae_title, *settings.listener.peers)
