"""The worklist of real and embedded RIS: all items, all names, whatever the character set."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import pytest
from dcmtk import worklist as wlmscpfs
from hostile import Line
from orthanc import Orthanc
from pydicom import Dataset

from gateway import cli, configuration
from gateway.clock import Clock
from gateway.errors import Held, Retry
from gateway.settings import Box, Ris, Settings
from gateway.step import ScheduledStep, value
from gateway.transfer import dataset
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Tag
from gateway.transfer.calling.peers import Peer
from gateway.transfer.names import EXPLICIT
from gateway.transfer.ris import worklist
from gateway.transfer.ris.worklist_poller import SCATTER, WorklistPoller
from gateway.trial import patients
from gateway.trial.hospital import Hospital
from gateway.worklists import Worklist, cached_worklists, keep_worklist

Call = Callable[..., Peer]
RIS = Ris(name="ris", ae_title="HOSPITAL", host="127.0.0.1", port=1)


def names(steps: tuple[ScheduledStep, ...]) -> dict[str, str]:
    """All component groups of each patient's name, by Patient ID."""
    groups = ("Alphabetic", "Ideographic", "Phonetic")
    found = {s.patient_id: s.item["00100010"]["Value"][0] for s in steps}
    return {uid: "=".join(name.get(g, "") for g in groups).rstrip("=") for uid, name in found.items()}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with Hospital(tmp_path_factory.mktemp("hospital")) as running:
        yield running


EVERYBODY = {p.id: p.name for p in patients.PATIENTS}


def test_the_broad_query_finds_todays_items_with_all_names_unharmed(tmp_path: Path, call: Call) -> None:
    yesterday = patients.items(day="20200101")
    with Hospital(tmp_path / "hospital", items=[*patients.items(), *yesterday]) as hospital:
        steps = worklist.query(call(hospital.port), **worklist.broad(Box(), RIS))
    assert names(steps) == EVERYBODY
    assert len(steps) == len(EVERYBODY)
    first = steps[0]
    assert (first.accession_number, first.step_id, first.modality, first.missing) == ("ACC0001", "SPS0001", "ECG", ())
    assert value(first.item, "00400100/00400008/00080100") == "11524-6"
    assert value(first.item, "00080005") == "ISO_IR 192"


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"patient_id": "PAT-0002"}, {"PAT-0002"}),
        ({"patient_name": "Müller*"}, {"PAT-0001"}),
        ({"accession_number": "ACC0003"}, {"PAT-0003"}),
        ({"requested_procedure_id": "RP0004"}, {"PAT-0004"}),
        ({"patient_id": "PAT-0002", "accession_number": "ACC0003"}, set()),
        ({"station": "ANOTHER"}, set()),
        ({"modality": "CT"}, set()),
        ({}, set(EVERYBODY)),
    ],
)
def test_the_patient_query_matches_each_key_alone_and_all_together(
    keys: dict[str, str], found: set[str], hospital: Hospital, call: Call
) -> None:
    assert {s.patient_id for s in worklist.query(call(hospital.port), **keys)} == found  # type: ignore[arg-type]


def test_wlmscpfs_gives_all_names_unharmed(tmp_path: Path, call: Call) -> None:
    with wlmscpfs(tmp_path / "worklist", patients.items()) as port:
        steps = worklist.query(call(port, "RIS"), **worklist.broad(Box(), RIS))
    assert names(steps) == EVERYBODY
    assert {s.missing for s in steps} == {()}


def test_orthanc_gives_what_its_plug_in_can_say(call: Call, pacs: Orthanc) -> None:
    steps = worklist.query(call(pacs.port, pacs.ae_title), **worklist.broad(Box(), RIS))
    assert names(steps) == {p.id: p.name for p in patients.PATIENTS if p.charset in ((), ("ISO_IR 100",))}


@pytest.mark.parametrize(
    ("asked", "found"),
    [({"accession": "ACC0001"}, {"PAT-0001"}), ({"patient": "PAT-0005"}, {"PAT-0005"}), ({"patient": "NOBODY"}, set())],
)
def test_real_ris_answer_for_one_patient(
    asked: dict[str, str], found: set[str], tmp_path: Path, call: Call, pacs: Orthanc
) -> None:
    keys = worklist.about_patient(RIS, asked)
    with wlmscpfs(tmp_path / "worklist", patients.items(day="20991231")) as port:
        assert {s.patient_id for s in worklist.query(call(port, "RIS"), **keys)} == found
    assert {s.patient_id for s in worklist.query(call(pacs.port, pacs.ae_title), **keys)} == found


def test_a_worklist_without_end_is_cancelled_at_the_limit(tmp_path: Path, call: Call) -> None:
    items = patients.items(patients=patients.PATIENTS * 40)
    with Hospital(tmp_path / "hospital", items=items) as hospital:
        assert len(worklist.query(call(hospital.port), most=10)) == 10


def test_a_ris_that_ignores_the_cancellation_is_cut_off(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "AFTER_CANCEL", 20)

    def script(line: Line) -> None:
        asked = line.accept()
        message = line.message()
        assert message is not None
        syntax = next(c.transfer_syntaxes[0] for c in asked.contexts if c.id == message.context_id)
        while True:
            line.say(pending(message, dataset.encode(patients.items()[0], syntax)))

    with hostile.peer(script) as port, pytest.raises(Retry, match="goes on sending worklist items"):
        worklist.query(call(port), most=5)


def pending(message: dimse.Message, item: bytes) -> pdu.Data:
    command = {
        Tag.COMMAND_FIELD: dimse.Field.C_FIND | dimse.RESPONSE,
        Tag.MESSAGE_ID_BEING_RESPONDED_TO: dimse.number(message.command, Tag.MESSAGE_ID),
        Tag.DATA_SET_TYPE: 1,
        Tag.STATUS: 0xFF00,
    }
    fragments = (pdu.Pdv(message.context_id, True, True, dimse.encode(command)),)
    return pdu.Data((*fragments, pdu.Pdv(message.context_id, False, True, item)))


def answering(*items: bytes) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.say(*(pending(message, item) for item in items))
        line.respond(message)
        line.message()

    return script


def test_an_item_that_cannot_be_read_is_left_out_and_the_others_stay(call: Call) -> None:
    good = dataset.encode(patients.items()[4], EXPLICIT)
    with hostile.peer(answering(b"\x10\x00\x10\x00PN\xff\x7fgarbage", good, good)) as port:
        assert [s.patient_id for s in worklist.query(call(port))] == ["PAT-0005", "PAT-0005"]


def test_an_item_that_lacks_required_attributes_is_kept_and_says_what_it_lacks(call: Call) -> None:
    item = Dataset()
    item.PatientName = "Doe^John"
    with hostile.peer(answering(dataset.encode(item, EXPLICIT))) as port:
        (step,) = worklist.query(call(port))
    assert step.patient_name == "Doe^John"
    assert step.missing == ("Patient ID", "Study Instance UID", "Scheduled Procedure Step ID")


@pytest.mark.parametrize(("status", "error"), [(0xA700, Retry), (0xA900, Held), (0xC001, Retry), (0x0124, Held)])
def test_a_refused_query_says_why(status: int, error: type[Exception], call: Call) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message, status)
        line.message()

    with hostile.peer(script) as port, pytest.raises(error, match=f"answered {status:04X}H"):
        worklist.query(call(port))


def test_a_peer_without_worklist_is_held_with_words(call: Call) -> None:
    def script(line: Line) -> None:
        line.accept(refuse=(worklist.FIND,))
        line.message()

    with hostile.peer(script) as port, pytest.raises(Held, match="does not take Modality Worklist"):
        worklist.query(call(port))


def test_a_clock_that_is_plainly_wrong_names_no_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert worklist.broad(Box(), RIS)["start_date"] == ""


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (b"ISO_IR 192", b"M\xfcller^X"),
        (b"ISO_IR 199", b"M\xfcller^X"),
        (b"", b"M\xfcller^X"),
        (b"ISO_IR 6", b"M\xfcller^X"),
        (b"\\ISO 2022 IR 87", b"Yamada=\x1b$)C\xd1\xce"),
    ],
)
def test_text_outside_its_character_set_is_taken_out_and_the_item_shown_as_lacking_it(
    charset: bytes, name: bytes, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    good = dataset.encode(patients.items()[0], EXPLICIT)
    parts = ((b"\x08\x00\x05\x00CS", charset), (b"\x10\x00\x10\x00PN", name), (b"\x10\x00\x20\x00LO", b"BAD1"))
    padded = [(tag, value + b" " * (len(value) % 2)) for tag, value in parts]
    bad = b"".join(tag + len(value).to_bytes(2, "little") + value for tag, value in padded)
    with hostile.peer(answering(bad, good)) as port:
        steps = worklist.query(call(port))
    assert [s.patient_name for s in steps] == ["", "Müller^Jürgen"]
    assert steps[0].patient_id == "BAD1"
    assert "Patient's Name" in steps[0].missing
    said = [r.getMessage() for r in caplog.records if "cannot be read" in r.getMessage()]
    assert len(said) == 1
    assert "character set" in said[0]
    assert "ller" not in said[0]


def test_a_ris_that_never_says_its_character_set_is_read_in_the_configured_one(tmp_path: Path, call: Call) -> None:
    latin = [item for item in patients.items() if item.PatientID in ("PAT-0001", "PAT-0005")]
    with wlmscpfs(tmp_path / "worklist", latin, keep_character_set=False) as port:
        silent = worklist.query(call(port, "RIS"))
        told = worklist.query(call(port, "RIS"), character_set="ISO_IR 100")
    assert {s.patient_id: s.patient_name for s in silent} == {"PAT-0001": "", "PAT-0005": "Doe^Jane"}
    assert {s.patient_id: s.patient_name for s in told} == {"PAT-0001": "Müller^Jürgen", "PAT-0005": "Doe^Jane"}


# A name in each character set of PS3.3 C.12.1.1.2 that a worklist may come in.
CHARACTER_SETS = {
    ("ISO_IR 6",): "Doe^Jane",
    ("ISO_IR 100",): "Müller^Jürgen",
    ("ISO_IR 101",): "Wałęsa^Łucja",
    ("ISO_IR 109",): "Ħaż^Ġużeppi",
    ("ISO_IR 110",): "Bērziņš^Jānis",
    ("ISO_IR 144",): "Люксембург^Роза",
    ("ISO_IR 127",): "قباني^لنزار",
    ("ISO_IR 126",): "Διονυσιος^Σολωμος",
    ("ISO_IR 138",): "שרון^דבורה",
    ("ISO_IR 148",): "Çavuşoğlu^İnci",
    ("ISO_IR 166",): "สมชาย^ใจดี",
    ("ISO_IR 13",): "ﾔﾏﾀﾞ^ﾀﾛｳ",
    ("ISO_IR 192",): "Ñuñez^Begoña=王^小東",
    ("GB18030",): "Wang^XiaoDong=王^小东",
    ("GBK",): "Wang^XiaoDong=王^小东",
    ("", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ("ISO 2022 IR 13", "ISO 2022 IR 87"): "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ("", "ISO 2022 IR 149"): "Gim^Huijung=金^熙中=김^희중",
    ("", "ISO 2022 IR 144"): "Luxemburg^Rosa=Люксембург^Роза",
}


@pytest.mark.parametrize(("charset", "name"), CHARACTER_SETS.items())
def test_a_name_in_each_character_set_comes_unharmed(charset: tuple[str, ...], name: str, call: Call) -> None:
    item = Dataset()
    item.SpecificCharacterSet = list(charset) if len(charset) > 1 else charset[0]
    item.PatientName, item.PatientID = name, "P1"
    with hostile.peer(answering(dataset.encode(item, EXPLICIT))) as port:
        steps = worklist.query(call(port))
    assert names(steps) == {"P1": name}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang^XiaoDong=张^小东"),  # PS3.5 K.2
        (b"Zhang^XiaoDong=\xd5\xc5^\xd0\xa1\xb6\xab", ""),  # without the escape sequences it may be anything
    ],
)
def test_a_simplified_chinese_name_is_read_by_its_escape_sequences_and_not_without(
    raw: bytes, name: str, call: Call
) -> None:
    parts = ((b"\x08\x00\x05\x00CS", b"\\ISO 2022 IR 58"), (b"\x10\x00\x10\x00PN", raw), (b"\x10\x00\x20\x00LO", b"P1"))
    padded = [(tag, value + b" " * (len(value) % 2)) for tag, value in parts]
    with hostile.peer(answering(b"".join(t + len(v).to_bytes(2, "little") + v for t, v in padded))) as port:
        (step,) = worklist.query(call(port))
    assert names((step,)) == {"P1": name} if name else step.patient_name == ""


RIS_SECTION = """
[[ris]]
name = "{name}"
ae_title = "RIS"
host = "127.0.0.1"
port = {port}
"""


def with_ris(config: Path, **ports: int) -> Settings:
    text = "".join(RIS_SECTION.format(name=name, port=port) for name, port in ports.items())
    config.write_text(config.read_text() + text)
    return configuration.load(config)


def test_a_patient_is_asked_for_beside_the_stations_day_and_can_be_chosen(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = patients.items(station="OTHER", day="20991231")
    with wlmscpfs(tmp_path / "worklist", elsewhere) as port:
        settings = with_ris(config, ris=port)
        command = ["--config", str(config)]
        assert cli.main([*command, "worklist", "--refresh"]) == 0
        assert "SPS0003" not in capsys.readouterr().out, "it is not of this station and day"
        assert cli.main([*command, "worklist", "--refresh", "--accession", "ACC0003"]) == 0
    said = capsys.readouterr()
    assert "SPS0003" in said.out
    assert "asked for accession ACC0003: 0 s old" in said.err
    assert cli.main([*command, "exam", "start", "ecg1", "--step", "SPS0003"]) == 0
    assert len(list(cached_worklists(settings.places.worklist))) == 2


def test_a_ris_that_is_silent_bars_no_other_and_is_named(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with wlmscpfs(tmp_path / "worklist", patients.items()) as port:
        with_ris(config, away=1, here=port)
        assert cli.main(["--config", str(config), "worklist", "--refresh"]) == 3
    assert "127.0.0.1:1 cannot be reached" in capsys.readouterr().err
    assert cli.main(["--config", str(config), "worklist"]) == 0
    assert "SPS0003" in capsys.readouterr().out


def test_an_answer_that_drips_for_ever_is_cancelled_and_the_last_one_stays(config: Path) -> None:
    heard: list[int] = []

    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        item = dataset.encode(patients.items()[4], EXPLICIT)
        while not select.select([line.connection], [], [], 0.1)[0]:
            line.say(pending(message, item))
        cancel = line.message()
        assert cancel is not None
        heard.append(cancel.field)

    with hostile.peer(script) as port:
        config.write_text(config.read_text() + RIS_SECTION.format(name="ris", port=port) + "longest = 1\n")
        settings = configuration.load(config)
        keep_worklist(settings.places.worklist, Worklist("ris", 1.0, (ScheduledStep({}),)))
        poller, beats = WorklistPoller(settings, settings.ris[0], Clock("always")), list[int]()
        poller.turn(lambda: beats.append(1))
    assert heard == [dimse.Field.C_CANCEL]
    assert poller.answers is False
    assert "takes too long" in poller.words
    assert len(beats) > 5, "the watchdog hears of it while it is slow"
    (kept,) = cached_worklists(settings.places.worklist)
    assert kept.fetched == 1.0


ASK = """
import re, sys
from pathlib import Path
from gateway import configuration
from gateway.clock import Clock
from gateway.transfer.ris.worklist_poller import WorklistPoller
settings = configuration.load(Path(sys.argv[1]))
poller = WorklistPoller(settings, settings.ris[0], Clock("always"))
status = Path("/proc/self/status")
peak = lambda: int(re.search(r"VmHWM:\\s+([0-9]+)", status.read_text())[1])  # KiB; of this program alone
before = peak()
print(poller.ask(), peak() - before)
"""


def test_five_thousand_items_are_kept_in_the_memory_of_a_few(config: Path) -> None:
    item = dataset.encode(patients.items()[1], EXPLICIT)

    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        answer = pdu.encode(pending(message, item))
        for _ in range(5000):
            line.say(answer)
        line.respond(message)
        line.message()

    with hostile.peer(script) as port:
        config.write_text(config.read_text() + RIS_SECTION.format(name="ris", port=port) + "most = 10000\n")
        command = [sys.executable, "-c", ASK, str(config)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    items, grown = map(int, done.stdout.split())
    assert items == 5000
    assert grown < 6 << 10, "KiB; they are 12 MiB on the disk, and 150 MiB as Python sees them all"
    settings = configuration.load(config)
    (kept,) = cached_worklists(settings.places.worklist)
    assert len(list(kept.steps)) == 5000


def test_boxes_do_not_ask_in_step_and_a_silent_ris_is_asked_less_and_less_often(tmp_path: Path, config: Path) -> None:
    now = {"monotonic": 100.0}
    clock = Clock("always", monotonic=lambda: now["monotonic"])
    with Hospital(tmp_path / "hospital", ae_title="RIS") as hospital:
        settings = with_ris(config, ris=hospital.port)
        pollers = [WorklistPoller(settings, settings.ris[0], clock) for _ in range(5)]
        for poller in pollers:
            poller.turn()
        waits = {poller._next - now["monotonic"] for poller in pollers}
    poll = settings.ris[0].poll
    assert len(waits) == len(pollers)
    assert all(poll * (1 - SCATTER) <= wait <= poll * (1 + SCATTER) for wait in waits)
    poller, pauses = pollers[0], []
    for _ in range(5):
        now["monotonic"] += 2 * poll
        poller.turn()
        pauses.append(poller.pause.left())
    assert poller.answers is False
    assert pauses[0] < 6 < pauses[2] < pauses[4] <= poll
