"""The judge can condemn: each kind of harm, done to a stick by hand, is seen and named."""

from __future__ import annotations

import dataclasses

import pytest
from pulls.judge import Book, Look, Verdict, judge

A, B, C = "1.2.1", "1.2.2", "1.2.3"
SHA = {uid: f"hash of {uid}" for uid in (A, B, C)}


def stick(*uids: str, **other: object) -> Look:
    """One on which these instances are as they should be."""
    named = {uid: f"PA/{uid}" for uid in uids}
    return dataclasses.replace(Look(True, named, {named[uid]: SHA[uid] for uid in uids}), **other)


def verdict(look: Look, *said: str, at_the_end: bool = False) -> Verdict:
    return judge(Book(SHA, {uid: f"PA/{uid}" for uid in said}, [A, B, C]), look, at_the_end)


def test_the_old_state_and_the_new_state_are_good() -> None:
    for there in ((A,), (A, B), (A, B, C)):
        assert verdict(stick(*there), A) == Verdict()
    assert verdict(Look(False, {}, {})) == Verdict()
    assert verdict(stick(A, B, C), A, B, C, at_the_end=True) == Verdict()


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look(False, {}, {}), "there is no DICOMDIR"),
        (stick(A), "the DICOMDIR says nothing"),
        (stick(A, B, hashes={f"PA/{A}": SHA[A]}), "there is no such file"),
        (stick(A, B, hashes={f"PA/{A}": SHA[A], f"PA/{B}": SHA[C]}), "another than the spool's"),
        (stick(A, B, named={A: f"PA/{A}", B: f"PA/{A}"}), f"the DICOMDIR says PA/{A}"),
    ],
)
def test_what_was_said_to_be_on_it_and_is_not_is_missing(look: Look, words: str) -> None:
    found = verdict(look, A, B)
    assert found.missing >= 1
    assert words in "\n".join(found.complaints)


def test_a_record_whose_file_is_not_whole_is_unreadable_even_if_nothing_was_said() -> None:
    found = verdict(stick(A, B, hashes={f"PA/{A}": SHA[A], f"PA/{B}": "half of it"}), A)
    assert (found.missing, found.unreadable) == (0, 1)


def test_what_others_cannot_read_is_unreadable() -> None:
    found = verdict(stick(A, objections=("dcmdump: no sequence end",)), A)
    assert (found.missing, found.unreadable) == (0, 1)


def test_what_is_named_out_of_turn_is_no_state() -> None:
    assert "neither in the old nor in the new state" in verdict(stick(A, C), A).complaints[0]


def test_harm_to_somebody_elses_file_is_seen() -> None:
    assert "somebody else's" in verdict(stick(A, others=False), A).complaints[0]


def test_at_the_end_all_is_on_it_and_verify_is_content() -> None:
    assert "1 instances are not on it" in verdict(stick(A, B), A, B, at_the_end=True).complaints[0]
    found = verdict(stick(A, B, C, problems=("nothing refers to the record",)), A, B, C, at_the_end=True)
    assert found.complaints == ["media verify: nothing refers to the record"]
