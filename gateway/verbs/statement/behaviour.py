"""What the box does with each answer, told from the tables that it acts by: statuses, rejections, aborts, failures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.transfer.association import dimse
from gateway.transfer.calling import outcomes
from gateway.transfer.calling.outcomes import Row
from gateway.transfer.committing import event_report
from gateway.transfer.committing.reception.call import UNRECOGNIZED_OPERATION
from gateway.transfer.dicomweb import statuses
from gateway.verbs.statement.activities import Activity
from gateway.verbs.statement.document import Block, Paragraph, Table, table

# What is meant by each kind of outcome: the second is what follows.
BEHAVIOUR = {
    "done": ("Success", "It is done."),
    "warned": ("Warning", "It is done; the warning is kept and shown."),
    "retry": ("Failure", "It is tried again, at growing intervals, without end."),
    "hold": ("Failure", "It is held, with the words, until a person decides."),
}
COMMON = "Statuses of all services"
_HEAD = ("Status", "Meaning", "Behaviour", "What is said")
_CANCEL = 0xFE00
_PENDING = "/".join(f"{code:04X}H" for code in sorted(dimse.PENDING))


def common() -> Table:
    """What a status means where the service's own table does not say it."""
    rows = [_status(row) for row in outcomes.COMMON]
    unknown = ("any other", *BEHAVIOUR["hold"], "an answer the standard does not know; look into the peer's log")
    return table(COMMON, _HEAD, (*rows, unknown))


def statuses_of(activity: Activity) -> Iterator[Block]:
    """A table for each DIMSE service that has statuses of its own: the first line that fits counts."""
    for answers in activity.answers:
        own = [row for row in _reached(answers.rows) if row not in outcomes.COMMON]
        rows = [_status(row, answers.failed) for row in own]
        if answers.service == "C-FIND":
            rows.insert(0, (_PENDING, "Pending", "The item is taken.", ""))
        if rows:
            yield table(f"Statuses of {answers.service}", _HEAD, rows)
        then = f" Whatever fails: {answers.failed}" if answers.failed else ""
        also = "Every other status" if rows else f"Each status of {answers.service}"
        yield Paragraph(f"{also} is taken as the table of all services says.{then}")


def _reached(rows: Iterable[Row]) -> Iterator[Row]:
    """Without those that an earlier row, which is more special, covers whole."""
    before: list[Row] = []
    for row in rows:
        if not any(low <= row[0] and row[1] <= high for low, high, *_ in before):
            yield row
        before.append(row)


def _status(row: Row, failed: str = "") -> tuple[str, str, str, str]:
    low, high, kind, words = row
    code = f"{low:04X}H" if low == high else f"{low:04X}H to {high:04X}H"
    meaning, behaviour = BEHAVIOUR[kind]
    then = failed if failed and meaning == "Failure" else behaviour
    return code, {_CANCEL: "Cancel", min(dimse.PENDING): "Pending"}.get(low, meaning), then, words


def failure_reasons() -> Table:
    rows = [_status(row) for row in outcomes.COMMITMENT]
    return table(
        "Failure Reason (0008,1197) of a commitment report", ("Reason", "Meaning", "Behaviour", "What is said"), rows
    )


def report_answers() -> Table:
    rows = (
        (event_report.SUCCESS, "the report is on the disk, or of a transaction that this box did not begin"),
        (event_report.PROCESSING_FAILURE, "it could not be kept: the peer should report again"),
        (event_report.NO_SUCH_EVENT, "another Event Type ID than 1 and 2"),
        (event_report.INVALID_ARGUMENT, "it cannot be read"),
        (event_report.NOT_AUTHORIZED, "the caller is neither the one that was asked nor listed"),
        (UNRECOGNIZED_OPERATION, "another request than C-ECHO and N-EVENT-REPORT"),
    )
    return table("Statuses with which a report is answered", ("Status", "When"), [(f"{c:04X}H", w) for c, w in rows])


def communication() -> Iterator[Block]:
    yield Paragraph(
        "What keeps an association from coming about, or breaks it, concerns the peer and no instance: everything "
        "for that peer waits, and is tried again at growing intervals (retry_first to retry_most of the destination)."
    )
    where = ("requestor", "service user", "service provider (ACSE)", "service provider (presentation)")
    rejections = [
        (f"{where[source]}, reason {reason}", words.format(own="AE title of the box", called="that is called"))
        for (source, reason), words in outcomes.REJECTS.items()
    ]
    yield table("A-ASSOCIATE-RJ", ("Source and reason", "What is said of the peer"), rejections)
    refusals = [(str(result), words.format(what="the class")) for result, (_, words) in outcomes.REFUSALS.items()]
    yield table(
        "Refused presentation contexts: the instances are held, or go in another transfer syntax",
        ("Result", "What is said of the peer"),
        refusals,
    )
    aborts = [("0", "its application aborted the association")]
    aborts += [(f"{source}, reason {reason}", words) for (source, reason), words in outcomes.ABORTS.items()]
    yield table("A-ABORT", ("Source", "What is said"), aborts)


def http() -> Table:
    """What a DICOMweb server answers."""
    about = {"server": "the server", "instance": "the instance", "size": "what is too large"}
    rows = [
        (str(status), BEHAVIOUR[meaning.kind][1], about[meaning.about], meaning.words)
        for status, meaning in statuses.STATUSES.items()
    ]
    return table("HTTP statuses", ("Status", "Behaviour", "Concerns", "What is said"), rows)


def http_reasons() -> Table:
    own = [row for row in _reached(statuses.STORE) if row not in outcomes.COMMON]
    title = "Failure and Warning Reasons in the answer to a store; others as the table of all services says"
    return table(title, ("Reason", *_HEAD[1:]), [_status(row) for row in own])
