"""Storage commitment over HTTP: asked for, looked after, and taken into the ledger like any other."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from archive import Archive, Line, answer, dataset
from spooling import Box

Make = Callable[..., Any]


def on_commitment(*told: Callable[[list[str]], bytes]) -> Callable[[Archive, Line], None]:
    """Stores as it should, and answers each commitment request by the next of ``told``; the last one stays."""
    left = list(told)

    def script(there: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            body = line.body(head)
            if head.method == "POST" and "commitment-requests" in head.path:
                asked = [i["00081155"]["Value"][0] for i in json.loads(body)["00081199"]["Value"]]
                line.say((left.pop(0) if len(left) > 1 else left[0])(asked))
            else:
                line.say(there.answer(head, body))

    return script


def committed(uids: list[str]) -> bytes:
    return answer(200, json.dumps(dataset(stored=[(u, None) for u in uids])))


def refused(reason: int) -> Callable[[list[str]], bytes]:
    return lambda uids: answer(200, json.dumps(dataset(failed=[(u, reason) for u in uids])))


def test_what_is_stored_is_asked_for_and_committed(site: Make) -> None:
    there = site(3, policy="commitment")
    there.deliver()
    assert there.states == {"COMMITTED"} and {r["words"] for r in there.rows()} == {"committed"}
    (request,) = [h for h in there.there.requests if "commitment-requests" in h.path]
    assert request.headers["content-type"] == request.headers["accept"] == "application/dicom+json"


def test_a_server_that_is_not_done_is_looked_after_until_it_is(site: Make) -> None:
    there = site(2, policy="commitment")
    there.there.still_working = 3
    there.deliver()
    assert there.states == {"REQUESTED"}
    there.deliver(3)
    assert there.states == {"COMMITTED"}
    assert len([h for h in there.there.requests if h.method == "POST" and "commitment" in h.path]) == 1


def test_after_a_restart_the_same_request_is_looked_after(site: Make) -> None:
    there = site(2, policy="commitment")
    there.there.still_working = 2
    there.deliver()
    box = Box(there.box.settings, type(there.box.pacs)(there.box.settings.destinations[0]), retention=7.0)
    there.box.ledger.close()
    there.box = box
    there.deliver(2)
    assert there.states == {"COMMITTED"} and len(there.there.transactions) == 1


def test_a_request_that_the_server_has_forgotten_is_made_anew(site: Make) -> None:
    there = site(2, policy="commitment")
    there.there.still_working = 2
    there.deliver()
    (first,) = there.there.transactions
    there.there.transactions.clear()
    there.there.still_working = 0
    there.deliver(2)
    assert there.states == {"COMMITTED"} and first not in there.there.transactions


def test_a_server_that_is_away_while_it_is_looked_after_keeps_its_request(site: Make) -> None:
    there = site(2, policy="commitment")
    there.there.still_working = 2
    there.deliver()
    there.there.behave(lambda _, line: line.reset())
    there.deliver()
    assert there.states == {"REQUESTED"} and there.box.couriers[0].answers is False
    there.there.behave()
    there.deliver(2)
    assert there.states == {"COMMITTED"} and len(there.there.transactions) == 1


def test_what_the_server_lacks_is_sent_again_and_what_it_leaves_out_is_asked_again(site: Make) -> None:
    there = site(3, policy="commitment")

    def lying(uids: list[str]) -> bytes:
        return answer(200, json.dumps(dataset(stored=[(uids[0], None)], failed=[(uids[1], 0x0112)])))

    there.there.behave(on_commitment(lying, committed))
    there.deliver()
    rows = there.rows()
    assert sorted(r["state"] for r in rows) == ["COMMITTED", "QUEUED", "STORED"]
    there.deliver(2)
    assert there.states == {"COMMITTED"} and len(there.there.stores) == 4 and there.same()


@pytest.mark.parametrize(
    ("told", "words", "held"),
    [
        (lambda _: answer(404), "it has no storage commitment over HTTP", False),
        (lambda _: answer(405), 'policy = "verified" asks it in another way', False),
        (lambda _: answer(409), "it is asked again under a new one", False),
        (lambda _: answer(503), "busy", False),
        (lambda _: answer(400), "calls the request malformed", True),
        (lambda _: answer(200, "committed!", "text/plain"), "answered the commitment request with text/plain", False),
        (lambda _: answer(200, "{}"), "the report does not mention it; asked again", False),
        (refused(0x0122), "does not commit this class", True),
        (refused(0x0110), "processing failure", False),
        (refused(0xFFFF), "for a reason of its own", True),
    ],
)
def test_nothing_is_committed_by_a_server_that(
    site: Make, caplog: pytest.LogCaptureFixture, told: Callable[[list[str]], bytes], words: str, held: bool
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    there = site(2, policy="commitment")
    there.there.behave(on_commitment(told))
    there.deliver()
    rows = there.rows()
    assert {(r["state"], r["held"] is not None) for r in rows} == {("STORED", held)}
    assert all(words in r["words"] for r in rows)
    if not held:
        there.there.behave()
        there.deliver(2)
        assert there.states == {"COMMITTED"}
