"""The elements of storage commitment, held against pydicom: what it writes is read, what is written it reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import UID
from tiers import examples

from gateway.transfer import dataset, elements
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.committing import event_report
from gateway.transfer.committing.event_report import Report
from gateway.transfer.elements import FAILED_SOP_SEQUENCE, REFERENCED_SOP_SEQUENCE, TRANSACTION_UID
from gateway.transfer.names import EXPLICIT, IMPLICIT

uids = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)
syntaxes = st.sampled_from((IMPLICIT, EXPLICIT))


def item(uid: str, reason: int | None = None) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = UID("1.2.3"), uid
    if reason is not None:
        made.FailureReason = reason
    return made


@given(uids, st.sets(uids, max_size=5), st.dictionaries(uids, st.integers(0, 0xFFFF), max_size=5), syntaxes, st.data())
@settings(max_examples=examples(150))
def test_a_report_is_read_however_its_sequences_are_delimited_and_whatever_else_is_in_it(
    transaction: str, committed: set[str], failed: dict[str, int], syntax: str, more: st.DataObject
) -> None:
    event = Dataset()
    event.RetrieveAETitle = "ELSEWHERE"
    event.TransactionUID = transaction
    event.ReferencedSOPSequence = [item(u) for u in sorted(committed)]
    event.FailedSOPSequence = [item(u, r) for u, r in sorted(failed.items())]
    event.add_new(0x00091010, "LO", "private")
    event.OtherPatientIDsSequence = [Dataset()]
    event.OtherPatientIDsSequence[0].ReferencedStudySequence = [item("9.9.9")]
    for sequence in (event.ReferencedSOPSequence, event.FailedSOPSequence, event.OtherPatientIDsSequence):
        sequence.is_undefined_length = more.draw(st.booleans())
        for one in sequence:
            one.is_undefined_length_sequence_item = more.draw(st.booleans())
    for tag in (0x00081199, 0x00081198, 0x00101002):
        event[tag].is_undefined_length = more.draw(st.booleans())
    report = event_report.read_report(elements.read(dataset.encode(event, syntax), syntax))
    assert report == Report(transaction, frozenset(committed - failed.keys()), failed)


@given(uids, st.lists(st.tuples(uids, uids), max_size=5), syntaxes)
@settings(max_examples=examples(100))
def test_what_is_asked_for_is_read_by_pydicom_as_it_was_meant(
    transaction: str, asked: list[tuple[str, str]], syntax: str
) -> None:
    read = dataset.decode(elements.action(transaction, asked, syntax), syntax)
    assert read.TransactionUID == transaction
    items = [(str(i.ReferencedSOPClassUID), str(i.ReferencedSOPInstanceUID)) for i in read.ReferencedSOPSequence]
    assert items == asked


def test_a_sequence_of_unknown_vr_holds_implicit_elements() -> None:
    inner = elements.action("1.2", [("1.2.3", "1.2.4")], IMPLICIT)
    values = inner[inner.index(b"\xfe\xff\x00\xe0") :]
    sent = b"\x08\x00\x95\x11UI\x04\x001.2\x00" + b"\x08\x00\x99\x11UN\x00\x00" + len(values).to_bytes(4, "little")
    read = elements.read(sent + values, EXPLICIT)
    assert [i.uid(elements.SOP_INSTANCE_UID) for i in read.sequences[REFERENCED_SOP_SEQUENCE]] == ["1.2.4"]


SEQUENCE = b"\x08\x00\x99\x11"
ITEM = b"\xfe\xff\x00\xe0"
BROKEN = {
    "it ends within an element": b"\x08\x00\x95",
    "cut short": b"\x08\x00\x95\x11\xff\x00\x00\x00" + b"1.2",
    "stands where an item should": SEQUENCE + b"\x08\x00\x00\x00" + b"\x08\x00\x95\x11\x00\x00\x00\x00",
    "a delimiter stands": b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    "sequences within each other": (SEQUENCE + b"\xff\xff\xff\xff" + ITEM + b"\xff\xff\xff\xff") * 200,
    "items": SEQUENCE + b"\xff\xff\xff\xff" + (ITEM + b"\x00\x00\x00\x00") * 20_000,
    "ends within": SEQUENCE + b"\xff\xff\xff\xff" + ITEM + b"\xff\xff\xff\xff",
    "is cut short": SEQUENCE + b"\x10\x00\x00\x00" + ITEM + b"\x40\x00\x00\x00" + b"\x00" * 80,
}


@pytest.mark.parametrize("words", BROKEN)
def test_what_cannot_be_read_is_refused_with_words(words: str) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        elements.read(BROKEN[words], IMPLICIT)


@pytest.mark.parametrize("value", [b"1.2.x ", b"1" * 66, b"\xff\xfe"])
def test_a_uid_that_is_none_is_refused(value: bytes) -> None:
    read = elements.read(b"\x08\x00\x95\x11" + len(value).to_bytes(4, "little") + value, IMPLICIT)
    with pytest.raises(ProtocolError, match="no UID"):
        read.uid(TRANSACTION_UID)


def test_a_failure_reason_that_is_no_number_is_refused() -> None:
    reason = b"\x08\x00\x97\x11\x04\x00\x00\x00\x01\x00\x00\x00"
    body = ITEM + len(reason).to_bytes(4, "little") + reason
    read = elements.read(b"\x08\x00\x98\x11" + len(body).to_bytes(4, "little") + body, IMPLICIT)
    with pytest.raises(ProtocolError, match="instead of 2"):
        read.sequences[FAILED_SOP_SEQUENCE][0].number(elements.FAILURE_REASON)
