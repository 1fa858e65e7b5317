"""What a server says of instances, as JSON and XML: read as PS3.18 means it, and nothing can break the reader."""

from __future__ import annotations

import json
import socket
import threading
from email.message import Message
from typing import Any

import pytest
from archive import dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from gateway.transfer.calling.outcomes import Failed
from gateway.transfer.calling.peers import Peer, Web
from gateway.transfer.dicomweb import multipart, payload, statuses
from gateway.transfer.dicomweb.line import Line, Request
from gateway.transfer.dicomweb.payload import Told, Unintelligible

JSON, XML = "application/dicom+json", "application/dicom+xml"
WEB = Web("http://127.0.0.1/web", "/web", "", "verified", "index")


def peer(port: int = 1) -> Peer:
    return Peer("web", "", "127.0.0.1", port, "BOX", 0.2, web=WEB)


def test_each_instance_has_its_reason() -> None:
    body = json.dumps(
        dataset(
            stored=[("1.1", None), ("1.2", 0xB000)], failed=[("1.3", 0xA700), ("1.4", 0x0110)], other=[("", 0xC000)]
        )
    )
    assert payload.read(JSON, body.encode()) == Told(
        {"1.1": None, "1.2": 0xB000}, {"1.3": 0xA700, "1.4": 0x0110}, (0xC000,)
    )


def test_an_instance_that_is_said_to_be_stored_and_failed_has_failed() -> None:
    body = json.dumps(dataset(stored=[("1.1", None)], failed=[("1.1", 0xA700)])).encode()
    assert payload.read(JSON, body) == Told({}, {"1.1": 0xA700}, ())


def test_xml_says_the_same_as_json() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
        <NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">
        <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence"><Item number="1">
          <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.1</Value></DicomAttribute>
          <DicomAttribute tag="00081196" vr="US"><Value number="1">45056</Value></DicomAttribute>
          <DicomAttribute tag="0008,1190" vr="UR"><Value number="1">http://x</Value></DicomAttribute>
        </Item></DicomAttribute>
        <DicomAttribute tag="0008119a" vr="SQ"><Item number="1">
          <DicomAttribute tag="00081197" vr="US"><Value number="1">272</Value></DicomAttribute></Item></DicomAttribute>
        </NativeDicomModel>"""
    assert payload.read(XML, body) == Told({"1.1": 0xB000}, {}, (0x0110,))


def test_a_data_set_alone_in_a_list_is_one_too() -> None:
    assert payload.read("application/json; charset=utf-8", b"\xef\xbb\xbf[{}]") == Told()


KNOWN = st.sampled_from(
    ["00081155", "00081150", "00081196", "00081197", "00081198", "00081199", "0008119A", "vr", "Value"]
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["1.2", 42752])
ANYTHING = st.recursive(
    LEAF, lambda c: st.lists(c, max_size=4) | st.dictionaries(KNOWN | st.text(max_size=8), c, max_size=5), max_leaves=20
)
XML_PARTS = """<NativeDicomModel> </NativeDicomModel> <DicomAttribute|tag="00081199"> </DicomAttribute> <Item> </Item>
    <DicomAttribute|tag="00081155"> <Value> </Value> <a:Value> 1.2 &amp; &a; <x> </x> <!DOCTYPE|a> <!-- -->
    <![CDATA[ ]]> <?xml|version="1.0"?> \0 \xff"""
TOKENS = st.sampled_from([part.replace("|", " ").encode("latin-1") for part in XML_PARTS.split()])


def understood_or_not(media_type: str, body: bytes) -> None:
    try:
        told = payload.read(media_type, body)
    except Unintelligible:
        return
    assert not told.taken.keys() & told.failed.keys()
    for reason in (*told.failed.values(), *told.others, *filter(None, told.taken.values())):
        assert statuses.of_reason(peer(), reason).kind in ("done", "warned", "retry", "hold")


@settings(max_examples=examples(600))
@given(ANYTHING)
def test_any_json_is_an_answer_or_is_none(found: Any) -> None:
    understood_or_not(JSON, json.dumps(found).encode())


@settings(max_examples=examples(600))
@given(st.lists(TOKENS, max_size=24).map(b"".join), st.booleans())
def test_any_xml_is_an_answer_or_is_none(body: bytes, inside: bool) -> None:
    understood_or_not(XML, b"<NativeDicomModel>" + body + b"</NativeDicomModel>" if inside else b"<" + body)


@settings(max_examples=examples(300))
@given(st.sampled_from([JSON, XML, "", "text/html", "multipart/related"]), st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_are_none(media_type: str, body: bytes) -> None:
    understood_or_not(media_type, body)


def test_every_status_leads_to_an_outcome_and_none_that_failed_to_a_good_one() -> None:
    for status in (*range(100, 200), *range(300, 1000)):
        found = statuses.outcome(peer(), status, Message())
        assert found.kind in ("retry", "hold") and found.words.startswith("http://127.0.0.1/web answered HTTP")
    for reason in range(0x10000):
        assert statuses.of_reason(peer(), reason).words


HTTP_PARTS = """HTTP/1.1|200|OK~ HTTP/1.0|503|Busy~ HTTP/1.1|100|Continue~~ HTTP/1.1|204|N~~ HTTP/9.9|1|~ ~ hello
    Content-Length:|5~ Content-Length:|-5~ Transfer-Encoding:|chunked~ 5~hello~ 0~~ -1~ ffffffffff~
    Content-Encoding:|gzip~ :|~ |folded~ Connection:|close~ Content-Type:|application/dicom+json~ \0 \xff\xff"""
HEAD = st.sampled_from([p.replace("|", " ").replace("~", "\r\n").encode("latin-1") for p in HTTP_PARTS.split()])


@settings(max_examples=examples(250))
@given(st.lists(HEAD, max_size=10).map(b"".join))
def test_any_bytes_instead_of_an_answer_end_in_an_answer_or_in_words(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def play() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        line = Line(peer(server.getsockname()[1]))
        try:
            found = line.exchange(Request("GET", "/", {"Host": "a"}))
            assert isinstance(found.body, bytes) and found.status >= 200
        except Failed as failed:
            assert failed.outcome.kind == "retry" and failed.outcome.words
        finally:
            line.close()
            thread.join()


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), min_size=1), st.sampled_from([b"", b"\r\n", b"preamble"]))
def test_a_part_is_given_back_as_it_was_however_it_is_cut(data: bytes, cuts: list[int], before: bytes) -> None:
    headers = Message()
    headers["Content-Type"] = 'multipart/related; boundary="boundary-4711"'
    body = before + b"\r\n--boundary-4711\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--boundary-4711--"
    at, pieces = 0, []
    for length in cuts * (len(body) // sum(cuts) + 1):
        pieces.append(body[at : at + length])
        at += length
    left = iter([p for p in pieces if p])
    assert b"".join(multipart.only_part(headers, lambda: next(left, b""))) == data


def test_a_body_that_is_no_part_is_said_so() -> None:
    headers = Message()
    headers["Content-Type"] = "multipart/related; boundary=b"
    for body in (b"", b"--b\r\n", b"--b\r\n\r\nno end", b"x" * 100_000):
        left = iter([body])
        with pytest.raises(ValueError):
            list(multipart.only_part(headers, lambda left=left: next(left, b"")))
