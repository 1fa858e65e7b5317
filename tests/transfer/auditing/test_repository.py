"""The hospital's audit repository hears everything once and in order, over TLS, as PS3.15 A.5 and RFC 5425 have it."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import Authority
from spooling import CLOCK, ITEM, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.spool import audit, audit_message
from gateway.transfer.auditing import syslog
from gateway.transfer.auditing.reporter import Reporter

HEADER = re.compile(r"<85>1 (\S+Z) (\S+) gateway (\d+) DICOM\+RFC3881 - \ufeff(<\?xml .*)", re.DOTALL)


class Repository:
    """Syslog over TLS that asks for a certificate, and keeps what it hears."""

    def __init__(self, authority: Authority) -> None:
        own = authority.sign("repository")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(own.certificate, own.key)
        self._context.load_verify_locations(authority.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self._turns = threading.Condition()
        self._calls = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                call, _address = self._socket.accept()
            except OSError:
                return
            said = b""
            try:
                with self._context.wrap_socket(call, server_side=True) as line:
                    while data := line.recv(65536):
                        said += data
            except OSError:
                pass
            with self._turns:
                self.heard += said
                self._calls += 1
                self._turns.notify_all()

    def messages(self, calls: int) -> list[ET.Element]:
        """All it heard, once so many calls are over; every octet belongs to a frame."""
        with self._turns:
            assert self._turns.wait_for(lambda: self._calls >= calls, timeout=60)
            left, found = self.heard, []
        while left:
            length, _, left = left.partition(b" ")
            told, left = left[: int(length)], left[int(length) :]
            assert len(told) == int(length)
            match = HEADER.fullmatch(told.decode())
            assert match is not None, told
            found.append(ET.fromstring(match[4].encode()))
        return found

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._socket.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def repository(authority: Authority) -> Iterator[Repository]:
    there = Repository(authority)
    yield there
    there.close()


@pytest.fixture
def settings(config: Path, authority: Authority, repository: Repository) -> Settings:
    own = authority.sign("gateway")
    text = f'[audit]\nhost = "127.0.0.1"\nport = {repository.port}\nca = "{authority.ca}"\n'
    config.write_text(f'{config.read_text()}\n{text}certificate = "{own.certificate}"\nkey = "{own.key}"\n')
    return configuration.load(config)


def event(message: ET.Element) -> tuple[str, str]:
    found = message.find("EventIdentification/EventID")
    kind = message.find("EventIdentification/EventTypeCode")
    assert found is not None
    return found.attrib["csd-code"], kind.attrib["csd-code"] if kind is not None else ""


def test_what_left_the_box_is_told_with_study_patient_and_destination(
    settings: Settings, repository: Repository
) -> None:
    box = Box(settings, Pacs())
    record(settings, somebodys_exam(settings).exam, 1000)
    box.take_in()
    (row,) = box.ledger.query("SELECT uid, class FROM instances")
    reporter = Reporter(settings, box.ledger, CLOCK)
    audit.left(settings, CLOCK, "transfer", "pacs", [row["uid"]])
    reporter.turn()
    start, transfer = repository.messages(1)
    assert event(start) == ("110100", "110120")
    assert event(transfer) == ("110104", "")
    identification = transfer.find("EventIdentification")
    assert identification is not None
    assert identification.attrib["EventOutcomeIndicator"] == "0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", identification.attrib["EventDateTime"])
    roles = [role.attrib["csd-code"] for role in transfer.findall("ActiveParticipant/RoleIDCode")]
    assert roles == ["110153", "110152"]
    instance = transfer.find("ParticipantObjectIdentification/SOPClass/Instance")
    assert instance is not None
    assert instance.attrib["UID"] == row["uid"]
    objects = [one.attrib["ParticipantObjectID"] for one in transfer.findall("ParticipantObjectIdentification")]
    assert objects == [ITEM["0020000D"]["Value"][0], ITEM["00100020"]["Value"][0]]
    assert "PAT-1" not in settings.places.audit.read_text(), "the local file names no patient"


def test_a_persons_decision_is_told_with_who_and_why(settings: Settings, repository: Repository) -> None:
    box = Box(settings, Pacs())
    audit.append(settings.places.audit, CLOCK.now(), "Dr. <Ümit> & Co", "discard", "1.2.3", "a \x00 test")
    Reporter(settings, box.ledger, CLOCK).turn()
    discard, _start = repository.messages(1)
    assert event(discard) == ("110105", "")
    person = discard.find("ActiveParticipant")
    assert person is not None
    assert (person.attrib["UserID"], person.attrib["UserIsRequestor"]) == ("Dr. <Ümit> & Co", "true")
    detail = discard.find("ParticipantObjectIdentification/ParticipantObjectDetail")
    assert detail is not None
    assert base64.b64decode(detail.attrib["value"]) == b"a \x00 test"


def test_each_line_is_told_once_also_after_a_restart(settings: Settings, repository: Repository) -> None:
    box = Box(settings, Pacs())
    first = Reporter(settings, box.ledger, CLOCK)
    for number in range(250):
        audit.append(settings.places.audit, CLOCK.now(), "somebody", "hold", f"1.2.{number}")
    while first.turn() == 0.0:
        pass
    Reporter(settings, box.ledger, CLOCK).turn()
    told = [m for m in repository.messages(4) if event(m)[1] == "hold"]
    subjects = [m.find("ParticipantObjectIdentification").attrib["ParticipantObjectID"] for m in told]  # type: ignore[union-attr]
    assert subjects == [f"1.2.{number}" for number in range(250)]


def test_one_that_is_away_hears_everything_later(settings: Settings, repository: Repository, config: Path) -> None:
    box, right = Box(settings, Pacs()), config.read_text()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and listens not
        config.write_text(right.replace(f"port = {repository.port}", f"port = {nobody.getsockname()[1]}"))
        with pytest.raises((OSError, GatewayError)):
            Reporter(configuration.load(config), box.ledger, CLOCK).turn()
    assert not settings.places.audit.with_name("audit.told.json").exists()
    Reporter(settings, box.ledger, CLOCK).turn()
    assert [event(m) for m in repository.messages(1)] == [("110100", "110120")] * 2


def test_one_whom_the_ca_did_not_sign_hears_nothing(
    settings: Settings, repository: Repository, tmp_path: Path, config: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "Somebody else's CA")
    ours = settings.audit.ca
    config.write_text(config.read_text().replace(ours, stranger.ca))
    box = Box(settings, Pacs())
    with pytest.raises((OSError, GatewayError)):
        Reporter(configuration.load(config), box.ledger, CLOCK).turn()
    assert repository.messages(1) == []


def test_without_a_repository_nothing_more_is_written(config: Path) -> None:
    settings = configuration.load(config)
    audit.left(settings, CLOCK, "transfer", "pacs", ["1.2.3"])
    assert not settings.places.audit.exists()


def test_a_full_disk_does_not_keep_the_ledger_from_learning_what_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit, "append", full)
    audit.left(settings, CLOCK, "transfer", "pacs", ["1.2.3"])
    assert "is not in the audit trail" in caplog.text


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    good = json.dumps({"at": 1.0, "who": "a", "what": "hold", "subject": "s"})
    path.write_text(f'{{"at": 1\n[]\n3\n{good}\n{good[:20]}')
    found = audit.entries(path, 0, 10)
    assert [entry["subject"] for entry, _end in found] == ["s"]
    assert audit.entries(path, found[0][1], 10) == []


def test_a_frame_counts_octets_and_not_characters() -> None:
    framed = syslog.frame("<a>ü</a>".encode(), 0.0, "b ox\n", 7)
    length, _, told = framed.partition(b" ")
    assert int(length) == len(told)
    assert told.startswith(b"<85>1 1970-01-01T00:00:00.000Z box gateway 7 DICOM+RFC3881 - \xef\xbb\xbf<a>")


@pytest.mark.parametrize("what", [*audit_message.EVENTS, "retry"])
def test_every_message_has_what_the_schema_requires_in_its_order(what: str) -> None:
    entry = {"at": 1.0, "who": "rule", "what": what, "subject": "1.2.3", "why": ""}
    message = ET.fromstring(audit_message.message(entry, audit_message.Box("GATEWAY", "room 3", "", 1)))
    names = [child.tag for child in message]
    assert names[0] == "EventIdentification"
    assert "ActiveParticipant" in names
    assert names[-2:] == ["AuditSourceIdentification", "ParticipantObjectIdentification"]
    for coded in message.iter():
        if coded.tag.endswith(("EventID", "TypeCode", "RoleIDCode")) and coded.tag != "AuditSourceTypeCode":
            assert {"csd-code", "codeSystemName", "originalText"} <= set(coded.attrib)
