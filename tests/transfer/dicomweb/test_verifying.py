"""Policy "verified": the server is asked whether it has what it was sent, and only a true yes counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from archive import Archive, Head, Line, answer

from gateway.transfer.dicomweb import verifying

Make = Callable[..., Any]
Change = Callable[[Archive, Head, bytes], bytes]


def on_look(change: Change) -> Callable[[Archive, Line], None]:
    """Behaves, but for what ``change`` makes of the answer to each GET."""

    def script(there: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            whole = there.answer(head, line.body(head))
            line.say(change(there, head, whole) if head.method == "GET" else whole)

    return script


def body(whole: bytes) -> bytes:
    return whole.partition(b"\r\n\r\n")[2]


def another_class(_: Archive, head: Head, whole: bytes) -> bytes:
    return answer(200, body(whole).replace(b"1.2.840.10008.5.1.4.1.1", b"1.2.840.10008.5.1.4.1.9"))


def flipped(there: Archive, head: Head, whole: bytes) -> bytes:
    if "/instances/" not in head.path:
        return whole
    head_, _, data = whole.partition(b"\r\n\r\n")
    return head_ + b"\r\n\r\n" + data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]


def shortened(there: Archive, head: Head, whole: bytes) -> bytes:
    if "/instances/" not in head.path:
        return whole
    data = body(whole)
    return answer(200, data[: -len(b"\r\n--b--\r\n") - 2] + b"\r\n--b--\r\n", "multipart/related; boundary=b")


def swapped(there: Archive, head: Head, whole: bytes) -> bytes:
    if "/instances/" not in head.path:
        return whole
    other = next(u for u in there.held if u not in head.path)
    return there.answer(Head("GET", f"/web/instances/{other}", {}), b"")


def single_part(there: Archive, head: Head, whole: bytes) -> bytes:
    if "/instances/" not in head.path:
        return whole
    return answer(200, there.held[head.path.rpartition("/")[2]], "application/dicom")


def other_header(there: Archive, head: Head, whole: bytes) -> bytes:
    """Many servers write a File Meta Information of their own before the same data set."""
    if "/instances/" not in head.path:
        return whole
    data = bytearray(there.held[head.path.rpartition("/")[2]])
    data[:128] = b"x" * 128
    return answer(200, bytes(data), "application/dicom")


def nothing_found(*_: object) -> bytes:
    return answer(204, media_type="")


def not_found(*_: object) -> bytes:
    return answer(404)


@pytest.mark.parametrize("by", ["index", "metadata", "bytes"])
def test_what_the_server_has_is_verified_and_called_so(site: Make, by: str) -> None:
    there = site(3, verified_by=by)
    there.deliver()
    assert there.states == {"VERIFIED"}
    assert {r["words"] for r in there.rows()} == {f"verified by {verifying.BY[by]}"}


@pytest.mark.parametrize("change", [single_part, other_header])
def test_bytes_are_compared_in_whatever_form_they_come_back(site: Make, change: Change) -> None:
    there = site(2, verified_by="bytes")
    there.there.behave(on_look(change))
    there.deliver()
    assert there.states == {"VERIFIED"}


@pytest.mark.parametrize(
    ("by", "change", "words"),
    [
        ("index", another_class, "has another kind of object under this UID"),
        ("bytes", flipped, "gives back another data set than it was sent"),
        ("bytes", shortened, "gives back a shorter data set than it was sent"),
        ("bytes", swapped, "gives back another instance"),
    ],
)
def test_something_else_than_was_sent_is_held_for_a_person(site: Make, by: str, change: Change, words: str) -> None:
    there = site(2, verified_by=by)
    there.there.behave(on_look(change))
    there.deliver()
    assert there.states == {"STORED"} and all(words in r["held"] for r in there.rows())


@pytest.mark.parametrize(
    ("by", "change"),
    [
        ("index", nothing_found),
        ("index", not_found),
        ("metadata", lambda t, h, w: w if "/instances/" not in h.path else answer(404)),
        ("bytes", lambda t, h, w: w if "/instances/" not in h.path else answer(404)),
    ],
)
def test_an_index_that_is_late_is_asked_again_and_nothing_is_sent_again(site: Make, by: str, change: Change) -> None:
    there = site(2, verified_by=by)
    there.there.behave(on_look(change))
    there.deliver(2)
    assert there.states == {"STORED"} and all("(yet)" in r["words"] for r in there.rows())
    there.there.behave()
    there.deliver()
    assert there.states == {"VERIFIED"} and len(there.there.stores) == 2


def test_what_is_not_found_for_long_is_sent_again(site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_LATE", 0.0)
    there = site(2)
    there.there.behave(on_look(nothing_found))
    there.deliver()
    assert there.states == {"QUEUED"} and all("it is sent again" in r["words"] for r in there.rows())
    there.there.behave()
    there.deliver()
    assert there.states == {"VERIFIED"} and len(there.there.stores) == 4 and there.same()


def test_a_search_that_finds_anything_is_not_believed(site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    there = site(1)
    lost = there.rows()[0]["instance"]

    def others(archive: Archive, head: Head, whole: bytes) -> bytes:
        return answer(200, json.dumps([m for m in json.loads(body(whole)) if lost not in json.dumps(m)] * 2 or [{}]))

    there.there.behave(on_look(others))
    there.deliver()
    assert there.states == {"STORED"}


@pytest.mark.parametrize(
    ("by", "change", "words"),
    [
        ("index", lambda *_: answer(500), "HTTP 500"),
        ("index", lambda *_: answer(200, "no"), "answers QIDO-RS with JSON that cannot be read"),
        ("metadata", lambda t, h, w: w if "/instances/" not in h.path else answer(406), "HTTP 406"),
        (
            "metadata",
            lambda t, h, w: answer(200, body(w).replace(b"0020000D", b"00200099")),
            "says of an instance no study and series",
        ),
        (
            "bytes",
            lambda t, h, w: w if "/instances/" not in h.path else answer(200, "{}"),
            "does not give back an instance",
        ),
        ("bytes", lambda t, h, w: w if "/instances/" not in h.path else w[:-60], "makes no progress"),
    ],
)
def test_a_server_that_cannot_be_asked_is_asked_later(site: Make, by: str, change: Change, words: str) -> None:
    there = site(2, verified_by=by)
    there.there.behave(on_look(change))
    there.deliver()
    assert there.states == {"STORED"} and all(words in r["words"] for r in there.rows()), there.rows()
    there.there.behave()
    there.deliver(2)
    assert there.states == {"VERIFIED"} and len(there.there.stores) == 2


def test_after_a_power_cut_while_it_was_verified_it_is_asked_again(site: Make) -> None:
    there = site(2)
    with pytest.MonkeyPatch.context() as cut:
        cut.setattr(there.box.couriers[0].asking, "_request", dies)
        with pytest.raises(KeyboardInterrupt):
            there.deliver()
    assert there.states == {"REQUESTED"}
    there.deliver(2)
    assert there.states == {"VERIFIED"} and len(there.there.stores) == 2


def dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_came_back_on_a_medium_is_asked_for_first_and_sent_only_where_it_lacks(site: Make) -> None:
    there = site(2)
    known, unknown = (r["instance"] for r in there.rows())
    path = there.box.ledger.query("SELECT path FROM instances WHERE uid = ?", known)[0]["path"]
    there.there.keep([(there.box.settings.box.data / path).read_bytes()])
    with there.box.ledger.change() as c:
        c.execute("UPDATE deliveries SET state = 'STORED', sent_sha256 = NULL")
    there.deliver(3)
    assert there.states == {"VERIFIED"} and there.there.stores == [known, unknown]
