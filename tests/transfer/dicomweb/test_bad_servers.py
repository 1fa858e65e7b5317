"""TABLE of servers that behave badly, met by the real courier: nothing is lost, nothing is doubled, all recovers.

Each row misbehaves in its way; the ledger may not believe what is not true, and a line in the log names the cause. Then
the server behaves, and everything arrives, byte for byte, and is verified.
"""

from __future__ import annotations

import gzip
import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from archive import JSON, Archive, Line, Script, answer, dataset, parts

from gateway.spool import deliveries
from gateway.transfer.dicomweb import verifying

Make = Callable[..., Any]


def says(data: bytes) -> Script:
    """Reads the request, and answers with these bytes, whatever was asked."""

    def script(_: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            line.body(head)
            line.say(data)

    return script


def says_once(data: bytes) -> Script:
    """As :func:`says`, and closes the connection."""

    def script(_: Archive, line: Line) -> None:
        if (head := line.head()) is not None:
            line.body(head)
        line.say(data)

    return script


def on_store(*told: Callable[[list[str]], bytes]) -> Script:
    """Behaves, but answers a store by ``told`` (each in its turn, the last one from then on), and keeps nothing."""
    turns = itertools.chain(told, itertools.repeat(told[-1]))

    def script(there: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            body = line.body(head)
            if head.method == "POST" and head.path.endswith("/studies"):
                uids = Archive().keep(parts(head, body))
                line.say(next(turns)(uids))
            else:
                line.say(there.answer(head, body))

    return script


def endless(first: bytes, again: bytes) -> Script:
    def script(_: Archive, line: Line) -> None:
        if (head := line.head()) is not None:
            line.body(head)
        line.say(first)
        while True:
            line.say(again)

    return script


def dripping(data: bytes) -> Script:
    """One byte, then another, never so slow that one could say it has stopped."""

    def script(there: Archive, line: Line) -> None:
        if (head := line.head()) is not None:
            line.body(head)
        for byte in data:
            line.say(bytes([byte]))
            if there.ended.wait(0.2):
                return

    return script


def hanging(there: Archive, line: Line) -> None:
    there.ended.wait(20)


def hanging_after_the_request(there: Archive, line: Line) -> None:
    if (head := line.head()) is not None:
        line.body(head)
    there.ended.wait(20)


def hanging_after(data: bytes) -> Script:
    def script(there: Archive, line: Line) -> None:
        if (head := line.head()) is not None:
            line.body(head)
        line.say(data)
        there.ended.wait(20)

    return script


def resetting(_: Archive, line: Line) -> None:
    line.reset()


def resetting_in_the_body(_: Archive, line: Line) -> None:
    if line.head() is not None:
        line.stream.read(100)
    line.reset()


def closing_after_the_request(_: Archive, line: Line) -> None:
    if (head := line.head()) is not None:
        line.body(head)


def stored(uids: list[str]) -> bytes:
    return answer(200, json.dumps(dataset(stored=[(u, None) for u in uids])))


def failed(reason: int, status: int = 409) -> Callable[[list[str]], bytes]:
    return lambda uids: answer(status, json.dumps(dataset(failed=[(u, reason) for u in uids])))


def both(uids: list[str]) -> bytes:
    return answer(200, json.dumps(dataset(stored=[(u, None) for u in uids], failed=[(u, 0x0110) for u in uids])))


def of_nobody(_: list[str]) -> bytes:
    return answer(200, json.dumps(dataset(stored=[("1.2.3.4", None)])))


def only_others(_: list[str]) -> bytes:
    return answer(202, json.dumps(dataset(other=[("", 0xA700)])))


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>'
DEEP = "<NativeDicomModel>" * 200 + "</NativeDicomModel>" * 200
BOMB = gzip.compress(bytes(200_000_000), 1)
PAGE = "<html><body>Please sign in</body></html>"
CHUNKED = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
HEADERS = b"HTTP/1.1 200 OK\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\nA: " + b"a" * (1 << 15) + b"\r\n\r\n"  # long: too much comes before it is too late
SILENT = "makes no progress for 1 s while its answer is awaited"
DROPPED = "closed the connection"
NOT_HTTP = "something that is not HTTP"
ENDLESS = "answers without an end"

# name, how it behaves, what the log says, whether each instance is held for a person
CASES: list[tuple[str, Script, str, bool]] = [
    ("says nothing at all", hanging, SILENT, False),
    ("says nothing after the request", hanging_after_the_request, SILENT, False),
    ("hangs in its status line", hanging_after(b"HTTP/1.1 2"), SILENT, False),
    ("hangs in its headers", hanging_after(HEADERS + b"Content-Type: "), SILENT, False),
    ("hangs in its body", hanging_after(answer(200, "{" + " " * 99)[:-50]), SILENT, False),
    ("hangs in a chunk", hanging_after(CHUNKED + b"ff\r\n{"), SILENT, False),
    ("drips its answer, byte by byte", dripping(answer(200, " " * 99)), SILENT, False),
    ("resets the connection at once", resetting, DROPPED, False),
    ("resets it in the middle of the request", resetting_in_the_body, DROPPED, False),
    ("closes without an answer", closing_after_the_request, DROPPED + " instead of an answer", False),
    ("closes in its body", says_once(answer(200, "{}" + " " * 99)[:-50]), DROPPED + " in the middle", False),
    ("closes in a chunk", says_once(CHUNKED + b"ff\r\n{}"), DROPPED + " in the middle", False),
    ("500, always", says(answer(500)), "answered HTTP 500: it has failed inside", False),
    ("502 with a page", says(answer(502, PAGE, "text/html")), "the gateway before it does not reach it", False),
    ("503", says(answer(503, further="Retry-After: 3\r\n")), "busy or being serviced", False),
    ("503 for ever", says(answer(503, further="Retry-After: 99999999999999\r\n")), "busy", False),
    ("429", says(answer(429, further="Retry-After: Wed, 21 Oct 2065 07:28:00 GMT\r\n")), "too many", False),
    ("401", says(answer(401)), "does not accept this box's token or certificate", False),
    ("403", says(answer(403)), "does not allow this box to do that", False),
    ("404", says(answer(404)), "no such service at that address", False),
    ("400 with a proxy's page", says(answer(400, PAGE, "text/html")), "a proxy in between", False),
    ("400", says(answer(400)), "calls the request malformed", True),
    ("409 that says nothing", says(answer(409)), "(conflict), without a reason", True),
    ("413 for everything", says(answer(413)), "larger than it takes", True),
    ("415", says(answer(415)), "does not take this kind of object or transfer syntax", True),
    ("a status of its own", says(answer(299, "{}x")), "JSON that cannot be read", False),
    ("a status that is none", says(b"HTTP/1.1 abc OK\r\n\r\n"), NOT_HTTP, False),
    ("a status beyond all", says(answer(999)), "an answer that this box does not know", False),
    (
        "redirects",
        says(answer(307, further="Location: http://192.0.2.9/web?t=x\r\n")),
        "follows no redirect",
        False,
    ),
    ("redirects to nowhere", says(answer(302)), "it does not say where", False),
    ("a page for people", says(answer(200, PAGE, "text/html")), "a page for people (text/html)", False),
    ("no media type", says(answer(200, "stored!", "")), "an answer without a media type", False),
    ("text", says(answer(200, "stored!", "text/plain")), "answered HTTP 200 with text/plain", False),
    ("JSON that is cut", says(answer(200, '{"00081199": ')), "JSON that cannot be read", False),
    ("JSON too deep", says(answer(200, "[" * 100_000)), "JSON that cannot be read", False),
    ("JSON that is no data set", says(answer(200, '["stored"]')), "JSON that is no data set", False),
    ("two data sets", says(answer(200, "[{}, {}]")), "2 data sets instead of one", False),
    ("a sequence of text", says(answer(200, '{"00081199": {"Value": ["1.2"]}}')), "something else than items", False),
    ("a UID that is none", on_store(lambda _: answer(200, json.dumps(dataset(stored=[("x", None)])))), "no UID", False),
    ("XML that multiplies", says(answer(200, LAUGHS, "application/dicom+xml")), "a document type", False),
    ("XML that goes deep", says(answer(200, DEEP, "application/dicom+xml")), "goes too deep", False),
    ("XML of something", says(answer(200, "<ok/>", "application/dicom+xml")), "XML that is no data set", False),
    ("a body without an end", endless(HEADERS + b"\r\n", bytes(1 << 16)), ENDLESS, False),
    ("headers without an end", endless(HEADERS, b"A: b\r\n" * 999), NOT_HTTP, False),
    ("one header without an end", endless(HEADERS + b"A: ", b"a" * (1 << 16)), NOT_HTTP, False),
    ("interim answers without an end", endless(b"", INTERIM * 32), ENDLESS, False),
    ("a chunk of no size", says(CHUNKED + b"x\r\n"), DROPPED + " in the middle", False),
    ("a chunk of less than nothing", says(CHUNKED + b"-1\r\n{}"), "answer", False),
    ("trailers without an end", endless(CHUNKED + b"2\r\n{}\r\n0\r\n", b"A: b\r\n" * 999), ENDLESS, False),
    ("a length that is none", says(HEADERS + b"Content-Length: many\r\n\r\n"), SILENT, False),
    ("a bomb", says(answer(200, BOMB, JSON, "Content-Encoding: gzip\r\n")), ENDLESS, False),
    ("no gzip in gzip", says(answer(200, "{}", JSON, "Content-Encoding: gzip\r\n")), NOT_HTTP, False),
    ("an unknown coding", says(answer(200, "{}", JSON, "Content-Encoding: br\r\n")), NOT_HTTP, False),
    ("speaks TLS", says_once(b"\x15\x03\x01\x00\x02\x02\x46"), NOT_HTTP, False),
    ("speaks SSH", says_once(b"SSH-2.0-OpenSSH_9.2\r\n"), NOT_HTTP, False),
    ("speaks DICOM", says_once(b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01"), NOT_HTTP, False),
    ("says stored, and keeps nothing", on_store(stored), "does not find it", False),
    ("says yes without a word, and keeps nothing", on_store(lambda _: answer(200)), "names nothing that it", False),
    ("says that it stored others", on_store(of_nobody), "for other instances than it was sent", False),
    ("says stored and failed of the same", on_store(both), "processing failure in the peer", False),
    ("has no room", on_store(failed(0xA700)), "A700H: out of resources", False),
    ("fails something that it does not name", on_store(only_others), "A700H: out of resources", False),
    ("refuses the class", on_store(failed(0x0122)), "does not take this kind of object", True),
    ("refuses the transfer syntax", on_store(failed(0xC122)), "but not its transfer syntax", True),
    ("does not understand", on_store(failed(0xC000, status=202)), "cannot understand the instance", True),
]


@pytest.mark.parametrize(("behaviour", "words", "held"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_nothing_is_lost_or_doubled_and_all_recovers_from_a_server_that(
    site: Make,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Script,
    words: str,
    held: bool,
) -> None:
    monkeypatch.setattr(verifying, "_LATE", 0.0)  # an index that is late is another test's
    caplog.set_level(logging.INFO, "gateway")
    there = site(2)
    there.there.behave(behaviour)
    there.deliver()
    assert words in caplog.text
    assert not any("Traceback" in r.exc_text for r in caplog.records if r.exc_text)
    rows = there.rows()
    assert not {r["state"] for r in rows} & {"VERIFIED", "COMMITTED"}
    assert {r["held"] is not None for r in rows} == {held}
    if held:
        assert all(words in r["held"] for r in rows)
        for r in rows:
            deliveries.release(there.box.ledger, r["instance"], "pacs", 0.0)
    there.there.behave()
    there.deliver(3)
    assert there.states == {"VERIFIED"} and there.same()


def closing_each_time(there: Archive, line: Line) -> None:
    there.serve(line, once=True)


def announcing_it(there: Archive, line: Line) -> None:
    if (head := line.head()) is not None:
        body = there.answer(head, line.body(head))
        line.say(body.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


def saying_continue(there: Archive, line: Line) -> None:
    while (head := line.head()) is not None:
        line.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = line.body(head)
        line.say(b"HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + there.answer(head, body))


def compressing(there: Archive, line: Line) -> None:
    while (head := line.head()) is not None:
        whole = there.answer(head, line.body(head))
        body = whole.partition(b"\r\n\r\n")[2]
        line.say(answer(200, gzip.compress(body), JSON, "Content-Encoding: gzip\r\n"))


def chunking(there: Archive, line: Line) -> None:
    while (head := line.head()) is not None:
        body = there.answer(head, line.body(head)).partition(b"\r\n\r\n")[2]
        chunks = b"".join(b"1;x=y\r\n" + bytes([b]) + b"\r\n" for b in body)
        line.say(CHUNKED + chunks + b"0\r\nTrailer: x\r\n\r\n")


def talking_on(there: Archive, line: Line) -> None:
    while (head := line.head()) is not None:
        line.say(there.answer(head, line.body(head)) + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def ending_with_the_connection(there: Archive, line: Line) -> None:
    if (head := line.head()) is not None:
        body = there.answer(head, line.body(head)).partition(b"\r\n\r\n")[2]
        line.say(f"HTTP/1.0 200 OK\r\nContent-Type: {JSON}\r\n\r\n".encode() + body)


def answering_in_xml(there: Archive, line: Line) -> None:
    while (head := line.head()) is not None:
        whole = there.answer(head, line.body(head))
        told = json.loads(whole.partition(b"\r\n\r\n")[2])
        line.say(answer(200, native(told), "application/dicom+xml") if isinstance(told, dict) else whole)


def native(told: dict[str, Any]) -> str:
    def elements(found: dict[str, Any]) -> str:
        text = ""
        for tag, element in found.items():
            text += f'<DicomAttribute tag="{tag}" vr="{element["vr"]}">'
            for number, value in enumerate(element["Value"], 1):
                if isinstance(value, dict):
                    text += f'<Item number="{number}">{elements(value)}</Item>'
                else:
                    text += f'<Value number="{number}">{value}</Value>'
            text += "</DicomAttribute>"
        return text

    return f'<?xml version="1.0"?><NativeDicomModel xml:space="preserve">{elements(told)}</NativeDicomModel>'


def one_at_a_time(there: Archive, line: Line) -> None:
    """413 before it reads more than the head, as proxies do."""
    while (head := line.head()) is not None:
        if int(head.headers.get("content-length", 0)) > 12_000:
            line.say(answer(413, PAGE, "text/html", "Connection: close\r\n"))
            line.reset() if there.connections % 2 else None
            return
        line.say(there.answer(head, line.body(head)))


@pytest.mark.parametrize(
    "behaviour",
    [
        closing_each_time,
        announcing_it,
        saying_continue,
        compressing,
        chunking,
        talking_on,
        ending_with_the_connection,
        answering_in_xml,
    ],
    ids=lambda b: b.__name__,
)
def test_a_server_with_manners_of_its_own_gets_everything_at_once_and_once(site: Make, behaviour: Script) -> None:
    there = site(4)
    there.there.behave(behaviour)
    there.deliver(2)
    assert there.states == {"VERIFIED"} and there.same()
    assert len(there.there.stores) == 4


def test_one_connection_serves_everything(site: Make) -> None:
    there = site(4, policy="commitment")
    there.deliver(3)
    assert there.states == {"COMMITTED"} and there.there.connections == 1


def test_a_server_that_takes_only_small_requests_is_learnt_once(site: Make) -> None:
    there = site(8)
    there.there.behave(one_at_a_time)
    there.deliver(3)
    assert there.states == {"VERIFIED"} and there.same()


def test_a_warning_is_kept_with_the_delivery(site: Make) -> None:
    there = site(1, policy="stored")

    def warned(uids: list[str]) -> bytes:
        return answer(202, json.dumps(dataset(stored=[(u, 0xB000) for u in uids])))

    there.there.behave(on_store(warned))
    there.deliver()
    (row,) = there.rows()
    assert row["state"] == "STORED" and row["code"] == "B000" and "coercion of data elements" in row["words"]


def test_one_that_is_refused_among_many_is_held_and_bars_nobody(site: Make) -> None:
    there = site(9)
    bad = sorted(r["instance"] for r in there.rows())[4]

    def script(archive: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            body = line.body(head)
            if head.method == "POST" and bad in Archive().keep(parts(head, body)):
                line.say(answer(400))
            else:
                line.say(archive.answer(head, body))

    there.there.behave(script)
    there.deliver(2)
    states = {r["instance"]: (r["state"], r["held"] is not None) for r in there.rows()}
    assert states.pop(bad) == ("QUEUED", True) and set(states.values()) == {("VERIFIED", False)}


@pytest.mark.parametrize("how", ["resets", "says 500"])
def test_one_that_the_server_stumbles_over_bars_nobody(site: Make, how: str) -> None:
    there = site(9)
    bad = sorted(r["instance"] for r in there.rows())[4]

    def script(archive: Archive, line: Line) -> None:
        while (head := line.head()) is not None:
            body = line.body(head)
            if head.method == "POST" and bad in Archive().keep(parts(head, body)):
                if how == "resets":
                    line.reset()
                    return
                line.say(answer(500))
            else:
                line.say(archive.answer(head, body))

    there.there.behave(script)
    there.deliver(6)
    states = {r["instance"]: r["state"] for r in there.rows()}
    assert states.pop(bad) == "QUEUED" and set(states.values()) == {"VERIFIED"}
    there.there.behave()
    there.deliver(2)
    assert there.states == {"VERIFIED"} and there.same()


def test_with_policy_stored_nothing_is_freed_by_a_yes_without_a_word(site: Make) -> None:
    there = site(2, policy="stored")
    there.there.behave(on_store(lambda _: answer(200)))
    there.deliver()
    assert {(r["state"], 'set policy = "verified"' in r["held"]) for r in there.rows()} == {("QUEUED", True)}


def test_a_busy_server_is_left_alone_as_long_as_it_asks_but_no_longer_than_configured(site: Make) -> None:
    there = site(1)
    for asked, most in (("0", 0.1), ("1", 1.0), ("86400", 1.0)):
        there.there.behave(says(answer(503, further=f"Retry-After: {asked}\r\n")))
        there.box.couriers[0].pause.worked()
        there.deliver()
        left = there.box.couriers[0].pause.left()
        assert left <= most and (asked == "0" or left > 0.5)
