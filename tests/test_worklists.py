"""The cached worklists: whole or not at all, each step once, and never older than they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import fsops
from gateway.errors import Held, Retry
from gateway.step import ScheduledStep
from gateway.worklists import ASKED_LASTS, Worklist, cached_worklists, choices, keep_worklist, steps_of

NOW = 1_790_000_000.0


def item(step_id: str, patient_id: str = "P1", study: str = "1.2.3") -> dict[str, Any]:
    return {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen"}]},
        "00100020": {"vr": "LO", "Value": [patient_id]},
        "0020000D": {"vr": "UI", "Value": [study]},
        "00400100": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": [step_id] if step_id else []}}]},
    }


def answer(*items: dict[str, Any], source: str = "ris", fetched: float = NOW, **asked: str) -> Worklist:
    return Worklist(source, fetched, tuple(ScheduledStep(i, source) for i in items), asked)


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    kept = (answer(item("A"), item("B", "P2")), answer(item("C"), source="second"), answer(item("D"), patient="P1"))
    for one in kept:
        keep_worklist(tmp_path, one)
    assert sorted(cached_worklists(tmp_path), key=lambda w: w.steps[0].step_id) == list(kept)  # type: ignore[index]
    assert [s.step_id for s in steps_of(tmp_path, "ris")] == ["A", "B"]


def test_an_answer_that_breaks_off_leaves_the_last_one(tmp_path: Path) -> None:
    keep_worklist(tmp_path, answer(item("A")))

    def broken() -> Iterator[ScheduledStep]:
        yield ScheduledStep(item("B"))
        raise Retry("the RIS went away")

    with pytest.raises(Retry):
        keep_worklist(tmp_path, Worklist("ris", NOW + 60, broken()))
    (kept,) = cached_worklists(tmp_path)
    assert (kept.fetched, [s.step_id for s in kept.steps]) == (NOW, ["A"])
    assert [p.name for p in tmp_path.iterdir()] == ["ris.json"]


@pytest.mark.parametrize("lost", [2, 40, 200])
def test_an_answer_without_its_end_is_damaged_and_not_a_short_one(lost: int, tmp_path: Path) -> None:
    keep_worklist(tmp_path, answer(*(item(str(n)) for n in range(5))))
    path = tmp_path / "ris.json"
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(Held, match="--refresh"):
        list(cached_worklists(tmp_path))


def test_one_that_lacks_a_line_in_the_middle_is_damaged(tmp_path: Path) -> None:
    keep_worklist(tmp_path, answer(*(item(str(n)) for n in range(5))))
    path = tmp_path / "ris.json"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(Held, match="4 of 5 items"):
        list(cached_worklists(tmp_path))


def test_the_answer_of_an_older_gateway_is_read_and_a_newer_one_refused(tmp_path: Path) -> None:
    fsops.write_json(tmp_path / "ris.json", {"version": 1, "source": "ris", "fetched": 1.5, "items": [item("A")]})
    (kept,) = cached_worklists(tmp_path)
    assert (kept.fetched, [s.step_id for s in kept.steps]) == (1.5, ["A"])
    (tmp_path / "ris.json").write_text(json.dumps({"version": 3, "source": "ris"}) + "\n")
    with pytest.raises(Held, match="newer than 2; upgrade"):
        list(cached_worklists(tmp_path))


def test_that_the_ris_had_more_than_were_taken_is_kept_with_the_answer(tmp_path: Path) -> None:
    keep_worklist(tmp_path, answer(item("A"), item("B")), most=2)
    (kept,) = cached_worklists(tmp_path)
    assert kept.more
    keep_worklist(tmp_path, answer(item("A"), item("B")), most=3)
    (kept,) = cached_worklists(tmp_path)
    assert not kept.more


def chosen(*lists: Worklist, now: float = NOW) -> list[tuple[str, str, str]]:
    return sorted((s.source, s.step_id, s.patient_id) for s in choices(lists, now))


def test_a_step_is_chosen_from_the_newest_answer_that_has_it() -> None:
    today = answer(item("A", "P1"), item("B"))
    asked = answer(item("A", "P9"), item("X"), fetched=NOW - 60, patient="P9")
    assert chosen(today, asked) == [("ris", "A", "P1"), ("ris", "B", "P1"), ("ris", "X", "P1")]
    later = answer(item("A", "P9"), fetched=NOW + 60, patient="P9")
    assert chosen(today, later) == [("ris", "A", "P9"), ("ris", "B", "P1")]


def test_one_id_in_two_ris_or_twice_in_one_is_shown_each_time() -> None:
    two = answer(item("A", "P1"), item("A", "P2"))
    other = answer(item("A", "P1"), source="second")
    assert chosen(two, other) == [("ris", "A", "P1"), ("ris", "A", "P2"), ("second", "A", "P1")]


def test_items_without_an_id_are_not_taken_for_one_another() -> None:
    assert len(choices([answer(item("", "P1"), item("", "P2", "9"))], NOW)) == 2


def test_what_was_found_for_a_patient_long_ago_is_not_chosen_from() -> None:
    asked = answer(item("X"), patient="P1")
    assert chosen(asked, now=NOW + ASKED_LASTS - 1)
    assert not chosen(asked, now=NOW + ASKED_LASTS + 1)
    assert chosen(answer(item("A")), now=NOW + ASKED_LASTS + 1), "the day's answer stays, and shows its age"
