"""What the journal can be asked: fields follow from words, thread and process; each MESSAGE_ID is explained."""

from __future__ import annotations

import ast
import functools
import logging
import re
import socket
import struct
from pathlib import Path

import pytest

from gateway import journal

ROOT = Path(__file__).resolve().parents[1]
CATALOG = (ROOT / "systemd/catalog/gateway.catalog").read_text()


def said(words: str, *arguments: object, thread: str = "MainThread", process: str = "forward") -> dict[str, str]:
    record = logging.LogRecord("gateway.x", logging.WARNING, __file__, 1, words, arguments, None)
    record.threadName = thread
    return journal.fields(record, process)


@functools.cache
def templates() -> list[str]:
    """Every message that the code logs, as it is written there."""
    found = []
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) == "log"
            ):
                found += [a.value for a in node.args[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    assert len(found) > 100
    return found


def test_what_a_message_is_about_can_be_asked_for() -> None:
    told = said("instance %s is held for %s: %s", "1.2.3", "pacs", "no", thread="to pacs 2")
    assert told == {
        "SOP_INSTANCE_UID": "1.2.3",
        "DESTINATION": "pacs",
        "MESSAGE_ID": journal.MESSAGES["instance %s is held for "],
    }
    assert said("%s: instance %s waits: %s", "pacs", "1.2.3", "x")["SOP_INSTANCE_UID"] == "1.2.3"
    assert said("%d of %d; exam %s is over (%.0f %%)", 1, 2, "E1", 3.0)["EXAM"] == "E1"


@pytest.mark.parametrize(
    ("thread", "name"), [("to pacs", "pacs"), ("steps to ris", "ris"), ("worklist of ris", "ris"), ("media", "media")]
)
def test_a_thread_is_named_after_the_peer_it_serves(thread: str, name: str) -> None:
    assert said("anything", thread=thread) == {"DESTINATION": name}
    begun = (ROOT / "gateway/forward.py").read_text()
    assert 'begin(f"to {' in begun
    assert 'begin(f"steps to {' in begun
    assert 'begin(f"worklist of {' in begun


def test_a_capture_speaks_of_its_device_and_forward_of_the_one_a_recording_came_from() -> None:
    assert said("anything", process="capture-ecg1") == {"DEVICE": "ecg1"}
    name = "20261125T084852-ecg-2-8f355014"
    assert said("recording %s is wrapped and queued", name) == {"ACQUISITION": name, "DEVICE": "ecg-2"}


def test_every_message_with_an_id_is_one_that_the_code_logs_and_the_catalog_explains() -> None:
    logged = templates()
    for start in journal.MESSAGES:
        assert any(template.startswith(start) for template in logged), start
    assert re.findall(r"(?m)^-- ([0-9a-f]{32})$", CATALOG) == list(journal.MESSAGES.values())
    for entry in CATALOG.split("\n-- ")[1:]:
        assert re.search(r"(?m)^Subject: \S", entry)


def test_the_catalog_asks_only_for_fields_that_there_are() -> None:
    for start, number in journal.MESSAGES.items():
        words = next(t for t in templates() if t.startswith(start))
        arguments = ["20261125T084852-ecg1-8f355014"] * len(re.findall("%[^%]", words.replace("%%", "")))
        entry = CATALOG.split(number)[1].split("\n-- ")[0]
        process = "capture-ecg1" if "DEVICE" in entry else "forward"
        told = said(words, *arguments, thread="to pacs", process=process)
        assert set(re.findall("@([A-Z_]+)@", entry)) <= set(told), start


def test_an_entry_is_sent_in_the_journals_own_protocol(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "socket"))
        handler = journal.JournalHandler(logging.NullHandler(), str(tmp_path / "socket"))
        handler.process = "capture-ecg1"
        handler.emit(logging.LogRecord("gateway.x", logging.ERROR, "f.py", 7, "two\nlines %s", ("ü",), None))
        data = listening.recv(65536)
    assert data.startswith(b"MESSAGE\n" + struct.pack("<Q", 12) + "two\nlines ü\n".encode())
    assert {b"PRIORITY=3", b"SYSLOG_IDENTIFIER=gateway", b"DEVICE=ecg1", b"CODE_LINE=7"} <= set(data.split(b"\n"))


def test_without_a_journal_nothing_is_swallowed(tmp_path: Path) -> None:
    kept: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    journal.JournalHandler(Keeping(), str(tmp_path / "nobody")).emit(
        logging.LogRecord("gateway.x", logging.INFO, "f.py", 1, "said all the same", None, None)
    )
    assert kept == ["said all the same"]
