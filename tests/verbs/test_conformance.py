"""The statements and the box agree: what is printed is held against real associations, files, media and answers."""

from __future__ import annotations

import ast
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hostile
import pytest
from acquisitions import Recording, an_exam, heartbeat, settings_of
from authority import Authority
from browser import browser
from ecg_files import write_ecg
from listening import served
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    StorageCommitmentPushModel,
    Verification,
)

from gateway.cli import main
from gateway.dicom.performed_step import create_dataset
from gateway.dicom.wrap import wrap
from gateway.errors import GatewayError
from gateway.identifiers import new_uid
from gateway.model import InstanceRef
from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer import media, part10
from gateway.transfer.association import dimse
from gateway.transfer.calling import echo
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer, Security
from gateway.transfer.committing import commitment
from gateway.transfer.committing.event_report import Answer, Report
from gateway.transfer.committing.listener import Listener
from gateway.transfer.ris import procedure_step, worklist
from gateway.transfer.storing import store

TESTS = Path(__file__).resolve().parents[1]
Tables = dict[str, list[dict[str, str]]]
BEGUN = create_dataset(an_exam(), Box(), "ECG")
FOLLOWS = {
    "It is done.": "done",
    "It is done; the warning is kept and shown.": "warned",
    "It is tried again, at growing intervals, without end.": "retry",
    "It is held, with the words, until a person decides.": "hold",
}


def tables_of(text: str) -> Tables:
    """The tables of a Markdown text by their titles; two columns of one name: the second with a 2 behind it."""
    found: Tables = {}
    for title, body in re.findall(r"\*\*(.+?)\*\*\n\n((?:\|.*\n)+)", text):
        head, _, *rows = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in body.splitlines()]
        names = [f"{name}2" if name in head[:n] else name for n, name in enumerate(head)]
        found[title] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["conformance", *options]) == 0
    return capsys.readouterr().out


@pytest.fixture
def statement(capsys: pytest.CaptureFixture[str]) -> Tables:
    return tables_of(printed(capsys))


@dataclass
class Witness:
    """A peer on pynetdicom that takes everything and remembers what was proposed to it."""

    port: int = 0
    contexts: set[tuple[str, str]] = field(default_factory=set)
    proposed: list[Any] = field(default_factory=list)

    def peer(self, scratch: str = "") -> Peer:
        return Peer("peer", "WITNESS", "127.0.0.1", self.port, "GATEWAY", 20.0, operations=8, scratch=scratch)

    def requested(self, event: Any) -> None:
        asked = event.assoc.requestor
        self.proposed.append(asked)
        for context in asked.primitive.presentation_context_definition_list:
            assert len(context.transfer_syntax) == 1
            self.contexts.add((str(context.abstract_syntax), str(context.transfer_syntax[0])))


@pytest.fixture
def witness() -> Iterator[Witness]:
    seen = Witness()
    ae = AE(ae_title="WITNESS")
    classes = [c.abstract_syntax for c in AllStoragePresentationContexts]
    classes += [Verification, ModalityWorklistInformationFind, ModalityPerformedProcedureStep]
    for uid in classes:
        ae.add_supported_context(uid, ALL_TRANSFER_SYNTAXES)
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    handlers = [
        (evt.EVT_REQUESTED, seen.requested),
        (evt.EVT_C_STORE, lambda _: 0),
        (evt.EVT_C_FIND, lambda _: iter(())),
        (evt.EVT_N_CREATE, lambda event: (0, event.attribute_list)),
        (evt.EVT_N_ACTION, lambda _: (0, None)),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    seen.port = server.server_address[1]
    yield seen
    ae.shutdown()


def _stored(folder: Path, classes: list[str]) -> list[InstanceRef]:
    return [write_ecg(folder, sop_class_uid=uid) for uid in classes]


def _coded(folder: Path, sop_class_uid: str, syntax: str) -> InstanceRef:
    """An instance that says of itself that it has this transfer syntax; there are no pixels in it."""
    made = write_ecg(folder, samples=2, sop_class_uid=sop_class_uid)
    dataset = dcmread(made.path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(made.path)
    return part10.instance(Path(made.path))


def _query(peer: Peer, _folder: Path) -> None:
    worklist.query(peer)


def _step(peer: Peer, _folder: Path) -> None:
    assert procedure_step.create(peer, new_uid(), BEGUN).good


def _commit(peer: Peer, folder: Path) -> None:
    asked = _stored(folder, ["1.2.840.10008.5.1.4.1.1.9.1.1"])
    assert commitment.request(peer, new_uid(), asked, lambda _: None, 0.0).good


def _verify(peer: Peer, _folder: Path) -> None:
    assert echo.probe(peer).good


ACTIVITIES: dict[str, Callable[[Peer, Path], None]] = {
    "query the worklist": _query,
    "report the performed procedure step": _step,
    "ask for storage commitment": _commit,
    "verify a peer": _verify,
}


def contexts(rows: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(row["UID"], row["UID2"]) for row in rows}


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_what_is_proposed_is_what_the_statement_says(
    activity: str, witness: Witness, statement: Tables, tmp_path: Path
) -> None:
    ACTIVITIES[activity](witness.peer(), tmp_path / "ecg")
    assert witness.contexts == contexts(statement[f"Proposed presentation contexts: {activity}"])


def test_to_store_what_the_box_makes_is_proposed_as_the_statement_says(
    witness: Witness, statement: Tables, tmp_path: Path
) -> None:
    said = contexts(statement["Proposed presentation contexts: store instances"])
    named = {row["UID"]: row for row in statement["SOP classes that are written"]}
    assert named.keys() == {uid for uid, _ in said}
    instances = [_coded(tmp_path / "ecg", *pair) for pair in sorted(said) if pair[1] != "1.2.840.10008.1.2"]
    assert all(o.good for _, o in store.send(witness.peer(str(tmp_path)), instances))
    assert witness.contexts == said


def test_an_association_announces_what_the_statement_says(witness: Witness, statement: Tables, tmp_path: Path) -> None:
    said = {row["What"]: row["Value"] for row in statement["Associations"]}
    list(store.send(witness.peer(), _stored(tmp_path / "ecg", ["1.2.840.10008.5.1.4.1.1.9.1.1"])))
    (asked,) = witness.proposed
    assert asked.implementation_class_uid == said["Implementation class UID"]
    assert asked.implementation_version_name == said["Implementation version name"]
    assert str(asked.primitive.application_context_name) == said["Application context name"]
    largest = said["Maximum length of a PDU that is announced to a peer that is called"]
    assert largest == f"{asked.maximum_length} bytes"
    assert asked.asynchronous_operations == (8, int(said["Operations that are performed at a time"]))
    assert "8 unless said otherwise" in said["Operations that are invoked at a time (asynchronous), to store"]
    assert asked.role_selection == {}
    assert asked.sop_class_extended == {}
    assert asked.user_identity is None


def test_a_caller_is_granted_what_the_statement_says(statement: Tables) -> None:
    box, settings = Box(ae_title="GATEWAY"), ListenerSettings(host="127.0.0.1", port=0)
    said = {row["What"]: row["Value"] for row in statement["Associations"]}
    told = statement["Accepted presentation contexts: take the commitment report, and answer a verification"]

    def take(_report: Report, _caller: str) -> Answer | None:
        return None

    granted, announced = set(), 0
    with served(Listener(box, settings, ("PACS",), take)) as listener:
        classes = [Verification, StorageCommitmentPushModel, ModalityWorklistInformationFind]
        classes += [str(c.abstract_syntax) for c in AllStoragePresentationContexts[:60]]
        for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50"):
            ae = AE(ae_title="PACS")
            for uid in classes:
                ae.add_requested_context(uid, [syntax])
            roles = [build_role(StorageCommitmentPushModel, scp_role=True)]
            association = ae.associate("127.0.0.1", listener.port, ae_title="GATEWAY", ext_neg=roles)
            if association.is_established:  # pynetdicom gives up by itself if nothing is accepted
                granted |= {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
                announced = association.acceptor.maximum_length
                association.release()
    assert granted == contexts(told)
    assert said["Maximum length of a PDU that is announced to a caller"] == f"{announced} bytes"


def codes(rows: list[dict[str, str]], column: str = "Status") -> list[tuple[int, str]]:
    """The first and last code of each line, the first line that fits it counting; and what follows from it."""
    found: dict[int, str] = {}
    spans = []
    for row in rows:
        ends = [int(code, 16) for code in re.findall(r"([0-9A-F]{4})H", row[column])]
        if not ends or row["Meaning"] == "Pending":
            continue
        for code in ends:
            if not any(low <= code <= high for low, high in spans):
                found[code] = row["Behaviour"]
        spans.append((ends[0], ends[-1]))
    return sorted(found.items())


def for_service(statement: Tables, service: str) -> dict[int, str]:
    """What follows from each status by the service's own table, and where it says nothing, by that of all."""
    own = dict(codes(statement.get(f"Statuses of {service}", [])))
    every = dict(codes(statement["Statuses of all services"]))
    return {code: FOLLOWS[words] for code, words in (every | own).items() if words in FOLLOWS}


def answering(statuses: list[int], say: Callable[[int], list[tuple[int, Outcome]]]) -> dict[int, str]:
    """What followed from each status: ``say(port)`` makes the requests, one for each of ``statuses``."""
    left = list(statuses)

    def script(line: hostile.Line) -> None:
        line.accept()
        while (message := line.message()) is not None:
            line.respond(message, left.pop(0))

    with hostile.peer(script) as port:
        return {status: outcome.kind for status, outcome in say(port)}


def test_a_store_is_followed_by_what_the_statement_says_of_its_status(statement: Tables, tmp_path: Path) -> None:
    said = for_service(statement, "C-STORE")
    assert len(said) > 30

    def send(port: int) -> list[tuple[int, Outcome]]:
        instances = [write_ecg(tmp_path / "ecg", samples=2) for _ in said]
        peer = Peer("peer", "PEER", "127.0.0.1", port, "GATEWAY", 20.0)
        return list(zip(said, (outcome for _, outcome in store.send(peer, instances)), strict=True))

    assert answering(list(said), send) == said


def test_cancel_and_pending_are_called_so(statement: Tables) -> None:
    """PS3.7 annex C: they are neither successes nor failures, whatever the box makes of them."""
    for title in ("Statuses of C-FIND", "Statuses of C-STORE"):
        meanings = {row["Status"][:4]: row["Meaning"] for row in statement[title]}
        assert (meanings["FE00"], meanings["FF00"]) == ("Cancel", "Pending")


def test_no_class_without_colour_is_said_to_be_made_as_h264(statement: Tables) -> None:
    rows = statement["Proposed presentation contexts: store instances"]
    clips = {row["Abstract syntax"] for row in rows if "H.264" in row["Transfer syntax"]}
    assert "Video Endoscopic Image Storage" in clips
    assert not [name for name in clips if "Grayscale" in name]


@pytest.mark.parametrize("service", ["N-CREATE", "N-SET", "N-ACTION"])
def test_a_step_or_a_request_is_followed_by_what_the_statement_says_of_its_status(
    service: str, statement: Tables, tmp_path: Path
) -> None:
    said = for_service(statement, service)
    said.pop(0xA710, None)  # an Error ID beside 0110H, no status
    assert len(said) > 15
    instance = write_ecg(tmp_path / "ecg", samples=2)

    def ask(port: int) -> list[tuple[int, Outcome]]:
        peer = Peer("peer", "PEER", "127.0.0.1", port, "GATEWAY", 20.0)
        say: dict[str, Callable[[], Outcome]] = {
            "N-CREATE": lambda: procedure_step.create(peer, new_uid(), BEGUN),
            "N-SET": lambda: procedure_step.finish(peer, new_uid(), BEGUN),
            "N-ACTION": lambda: commitment.request(peer, new_uid(), [instance], lambda _: None, 0.0),
        }
        return [(status, say[service]()) for status in said]

    assert answering(list(said), ask) == said


def test_a_query_keeps_the_worklist_whenever_the_statement_calls_the_status_a_failure(statement: Tables) -> None:
    own, every = statement["Statuses of C-FIND"], statement["Statuses of all services"]
    assert (own[0]["Status"], own[0]["Meaning"]) == ("FF00H/FF01H", "Pending")
    assert {f"{code:04X}H" for code in dimse.PENDING} == {"FF00H", "FF01H"}
    meanings: dict[int, str] = {}
    for row in (*own[1:], *every):
        for code in re.findall(r"([0-9A-F]{4})H", row["Status"]):
            meanings.setdefault(int(code, 16), row["Meaning"])

    def ask(port: int) -> list[tuple[int, Outcome]]:
        found = []
        for status in meanings:
            try:
                worklist.query(Peer("peer", "PEER", "127.0.0.1", port, "GATEWAY", 20.0))
                found.append((status, Outcome("done", "", "")))
            except GatewayError:
                found.append((status, Outcome("hold", "", "")))
        return found

    followed = answering(list(meanings), ask)
    assert {s: kind == "done" for s, kind in followed.items()} == {s: m != "Failure" for s, m in meanings.items()}


def wrapped(folder: Path, iod: str) -> InstanceRef:
    recording = Recording(labels=("I", "II")).with_samples(heartbeat(1000, 2)).folder(folder / iod)
    (made,) = wrap(recording, an_exam(), settings_of(folder), folder, iod)
    return made


ECG = {
    "twelve-lead": "12-lead ECG Waveform Storage",
    "general": "General ECG Waveform Storage",
    "ambulatory": "Ambulatory ECG Waveform Storage",
    "general-32": "General 32-bit ECG Waveform Storage",
}


@pytest.mark.parametrize("profile", ["STD-GEN-USB-JPEG", "STD-GEN-SD-J2K"])
def test_a_medium_is_what_the_statement_says(profile: str, statement: Tables, tmp_path: Path) -> None:
    root = tmp_path / "stick"
    root.mkdir()
    for iod in ECG:
        media.add(root, wrapped(tmp_path, iod), "GATEWAY", profile=profile)
    directory = dcmread(root / "DICOMDIR")
    meta = {row["What"]: row["Value"] for row in statement["File meta information of files and DICOMDIR"]}
    assert directory.file_meta.ImplementationClassUID == meta["Implementation Class UID"]
    assert directory.file_meta.ImplementationVersionName == meta["Implementation Version Name"]
    assert (root / "GATEWAY" / "PROFILE.TXT").read_text().strip() == profile
    assert profile in {row["Profile"] for row in statement["Application profiles"]}
    allowed = {row["UID"] for row in statement["Transfer syntaxes of each profile"] if row["Profile"] == profile}
    kinds = {row["UID"]: row["Directory record"] for row in statement["SOP classes that are written"]}
    keys = statement["Keys of directory records"]
    for record in directory.DirectoryRecordSequence:
        kind = record.DirectoryRecordType
        wanted = {row["Attribute"] for row in keys if row["Record"] == kind and row["Type"] == "1"}
        assert wanted <= {element.name for element in record}
        listed = {row["Attribute"] for row in keys if row["Record"] == kind} | {"Specific Character Set"}
        assert {e.name for e in record if e.tag.group not in (0x0004, 0xFFFC)} <= listed
        if "ReferencedFileID" in record:
            assert kinds[record.ReferencedSOPClassUIDInFile] == kind
            assert record.ReferencedTransferSyntaxUIDInFile in allowed


@pytest.mark.parametrize("iod", ECG)
def test_every_element_of_a_real_file_is_listed_and_no_type_1_is_missing(
    iod: str, statement: Tables, tmp_path: Path
) -> None:
    dataset = dcmread(wrapped(tmp_path, iod).path)
    labels = [title.removeprefix("Modules of ") for title in statement if title.startswith("Modules of ")]
    label = next(name for name in labels if name in ECG[iod].replace("12-lead", "12-Lead"))
    present = {row["Module"]: row["Presence"] for row in statement[f"Modules of {label}"]}
    rows = [row for module, said in present.items() if said != "never" for row in statement[f"Attributes of {module}"]]
    rows += statement["Attributes of the file meta information"]
    listed = {row["Tag"] for row in rows}
    whole = {row["Tag"] for row in rows if not _has_rows_below(rows, row)}
    there = {str(e.tag).upper().replace(" ", "") for e in (*dataset.file_meta, *_elements(dataset, whole))}
    assert {tag for tag in there if tag not in listed} == set()
    always = {module for module, said in present.items() if said == "ALWAYS"}
    for module in always:
        for row in statement[f"Attributes of {module}"]:
            if row["Type"] == "1" or row["Presence"] == "ALWAYS":
                assert row["Tag"] in there, row["Attribute"]
    assert {row["Tag"] for row in statement["Attributes of the file meta information"]} <= there


def _has_rows_below(rows: list[dict[str, str]], row: dict[str, str]) -> bool:
    following = rows[rows.index(row) + 1 :][:1]
    depth = len(row["Attribute"]) - len(row["Attribute"].lstrip(">"))
    return any(len(r["Attribute"]) - len(r["Attribute"].lstrip(">")) > depth for r in following)


def _elements(dataset: Dataset, whole: set[str]) -> Iterator[Any]:
    for element in dataset:
        yield element
        if element.VR == "SQ" and str(element.tag).upper().replace(" ", "") not in whole:
            for item in element.value:
                yield from _elements(item, whole)


def test_the_tls_suites_are_those_of_the_first_message(statement: Tables, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    signed = authority.sign("pacs")
    seen: list[str] = []

    def script(line: hostile.Line) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(signed.certificate, signed.key)
        context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        with context.wrap_socket(line.connection, server_side=True) as secure:
            seen.extend(name for name, version, _ in secure.shared_ciphers() or () if version != "TLSv1.3")

    with hostile.peer(script) as port:
        security = Security(authority.ca, "", "", "")
        peer = Peer("peer", "PEER", "127.0.0.1", port, "GATEWAY", 20.0, security=security)
        assert not echo.probe(peer).good
    said = [row["Suite"] for row in statement["Cipher suites that are proposed"] if row["Protocol"] == "TLS 1.2"]
    assert set(seen) == set(said)


def _tests(path: Path) -> dict[str, list[str]]:
    """The tests of a file, and their decorators."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {f.name: [ast.unparse(d) for d in f.decorator_list] for f in functions}


def test_every_claim_of_the_ihe_statement_names_tests_that_exist_and_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    claims = tables_of(printed(capsys, "--ihe"))["Claims"]
    assert {row["Profile"] for row in claims} >= {"Scheduled Workflow.b (SWF.b)", "Portable Data for Imaging (PDI)"}
    for row in claims:
        shown = row["Shown by"].split("; ")
        assert shown
        for place in shown:
            path, _, name = place.partition("::")
            decorators = _tests(TESTS / path)[name]
            assert not [d for d in decorators if "skip" in d or "SLOW" in d], place


def test_the_chapters_are_those_of_ps3_2(capsys: pytest.CaptureFixture[str]) -> None:
    headings = dict(re.findall(r"^#+ (\d+(?:\.\d+)?) (.+)$", printed(capsys), re.MULTILINE))
    assert [headings[str(n)] for n in range(1, 9)] == [
        "Conformance statement overview",
        "Table of contents",
        "Introduction",
        "Networking",
        "Media interchange",
        "Support of character sets",
        "Security",
        "Annexes",
    ]
    assert headings["4.1"] == headings["5.1"] == "Implementation model"
    assert headings["4.2"] == headings["5.2"] == "AE specifications"
    assert headings["8.1"] == "IOD contents"


class Cells(HTMLParser):
    """The cells of all tables, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self.cells.append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.cells[-1] += data


@pytest.mark.parametrize("options", [(), ("--ihe",), ("--header",)], ids=["conformance", "IHE", "header"])
def test_html_and_markdown_say_the_same(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    text, page = printed(capsys, *options), Cells()
    page.feed(printed(capsys, "--html", *options))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [c.strip().replace("\\|", "|") for line in lines for c in re.split(r"(?<!\\)\|", line)[1:-1]]
    assert [c.replace("\\\\", "\\") for c in cells] == page.cells


def test_the_page_reads_in_a_browser_and_needs_nothing_from_outside(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "statement.html"
    path.write_text(printed(capsys, "--html"), encoding="utf-8")
    with browser(tmp_path) as one:
        one.open(path.as_uri(), width=1000)
        assert one.asked_for() == [path.as_uri()]
        assert one.complaints() == []
        assert one.ask("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))") is True
        assert one.ask("document.documentElement.scrollWidth <= window.innerWidth") is True
