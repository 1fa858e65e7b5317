"""A folder that a device drops its files into: each is taken once, when it is whole, and goes only when it is kept."""

from __future__ import annotations

import datetime
import errno
import logging
import os
import threading
import time
from pathlib import Path

import edfio
import numpy as np
import pytest
from crash.boxes import fast_folder
from edf_files import edf_signal, polysomnogram

from gateway import configuration, exam, fsops, records
from gateway.acquire import taking
from gateway.acquire.adapter import adapter_named
from gateway.acquire.collecting import Collecting
from gateway.acquire.recorder import read_facts
from gateway.acquire.taken import Memory, Stamp
from gateway.acquire.waiting import Waiting, compiled, fits
from gateway.clock import Clock
from gateway.errors import Fatal, Held, Misuse
from gateway.events import Samples
from gateway.model import Attributed, Kind

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 0
[[device]]
name = "eeg"
adapter = "edf"
folder = "{folder}/share"
settle = 0.1
sync_interval = 0.05
{more}
"""
PATIENT = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Anna"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
}


class Box:
    """A gateway with one device of files, whose process the test drives by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.share = folder / "share"
        self.share.mkdir(exist_ok=True)
        self.configure()

    def configure(self, more: str = "") -> None:
        path = self.folder / "gateway.toml"
        path.write_text(CONFIGURATION.format(folder=self.folder, more=more))
        self.settings = configuration.load(path)
        self.here = self.settings.places
        self.start()

    def start(self) -> None:
        """The process begins, as after a power cut."""
        adapter = adapter_named("edf")
        self.process = Collecting(self.settings, "eeg", adapter, adapter.decoder(self.settings.options["eeg"]))
        self.process.recover()

    def turn(self) -> None:
        self.process.turn(lambda: None)

    def until(self, condition, seconds: float = 20.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn()
            if value := condition():
                return value
            time.sleep(0.02)
        pytest.fail("it never happened")

    def settled(self) -> None:
        """Whatever is in the folder was looked at, and nothing is about to be taken."""
        looks = self.process.looks
        self.until(lambda: self.process.looks > looks + 2 and not self.process.recording)

    @property
    def kept(self) -> list:
        """The facts of all acquisitions, which must be whole."""
        found = []
        for folder in sorted(self.here.acquisitions.glob("[!.]*")):
            assert records.ending(folder / "records") is not None
            found.append(read_facts(folder))
        return found

    def samples(self, facts, group: int = 0) -> np.ndarray:
        path = self.here.acquisition(facts.acquisition) / "records"
        return np.concatenate([e.data for e in records.events(path) if isinstance(e, Samples) and e.group == group])

    def exam(self, **more):
        return exam.open_exam(self.here, Clock("always"), ("eeg",), Attributed.MANUAL, PATIENT, **more)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def simple(path: Path, seconds: int = 3, start: datetime.datetime | None = None, seed: int = 0) -> Path:
    """An EEG that names nobody."""
    start = start or datetime.datetime.now().replace(microsecond=0)
    recording = edfio.Recording(startdate=start.date())
    signals = [edf_signal("EEG Cz-A1", 100, 100 * seconds, seed), edf_signal("EEG Pz-A1", 100, 100 * seconds, seed)]
    edfio.Edf(signals, recording=recording, starttime=start.time()).write(path)
    return path


def test_a_file_is_taken_once_and_becomes_an_acquisition_of_each_kind(box):
    polysomnogram(box.share / "night.edf")
    box.until(lambda: box.kept)
    facts = {one.kind: one for one in box.kept}
    assert list(facts) == list(dict.fromkeys(one.kind for one in box.kept))
    assert set(facts) == {Kind.SLEEP, Kind.EOG, Kind.EMG, Kind.ECG, Kind.RESPIRATION, Kind.HEMODYNAMIC}
    assert {one.siblings for one in box.kept} == {facts[Kind.SLEEP].siblings}
    assert sorted(facts[Kind.SLEEP].siblings) == sorted(one.acquisition for one in box.kept)
    assert len({one.number for one in box.kept}) == 6
    original = edfio.read_edf(box.share / "night.edf")
    expected = np.stack([original.get_signal(label).digital for label in ("EEG C3-A2", "EEG C4-A1")], axis=1)
    assert np.array_equal(box.samples(facts[Kind.SLEEP]), expected)
    box.settled()
    box.start()
    box.settled()
    assert len(box.kept) == 6, "taken again"
    assert (box.share / "night.edf").exists()


def test_the_time_in_the_facts_is_the_files_own_and_is_not_trusted_unless_the_device_follows_a_server(box):
    polysomnogram(box.share / "a.edf")
    box.until(lambda: box.kept)
    local = datetime.datetime(2026, 3, 4, 22, 30, 15, 250000).timestamp()
    assert {(one.started.wall, one.started.trusted) for one in box.kept} == {(local, False)}
    assert all(one.taken.trusted and abs(one.taken.wall - time.time()) < 3600 for one in box.kept)
    box.configure('own_clock = "synchronized"')
    polysomnogram(box.share / "b.edf", seconds=5)
    box.until(lambda: len(box.kept) > 6)
    assert {one.started.trusted for one in box.kept} == {False, True}


def test_the_same_file_under_another_name_is_not_taken_twice(box, caplog):
    simple(box.share / "a.edf")
    box.until(lambda: box.kept)
    (box.share / "copy of a.edf").write_bytes((box.share / "a.edf").read_bytes())
    with caplog.at_level(logging.WARNING):
        box.until(lambda: "not taken twice" in caplog.text)
    box.start()
    box.settled()
    assert len(box.kept) == 1
    assert box.kept[0].acquisition in caplog.text


def test_a_file_of_the_same_name_with_other_content_is_another(box):
    simple(box.share / "REC001.EDF", seed=1)
    box.until(lambda: box.kept)
    simple(box.share / "REC001.EDF", seed=2)
    box.until(lambda: len(box.kept) == 2)


def test_a_file_that_grows_is_waited_for_until_it_has_what_its_header_tells(box):
    whole = simple(box.folder / "a.edf").read_bytes()
    target = box.share / "a.edf"
    for size in (100, 700, len(whole) - 1):
        target.write_bytes(whole[:size])
        box.settled()
        assert box.kept == []
    target.write_bytes(whole)
    box.until(lambda: box.kept)


def test_a_file_that_a_program_still_has_open_for_writing_is_waited_for(box, monkeypatch):
    monkeypatch.setattr("gateway.acquire.waiting.AGAIN", 0.05)
    whole = simple(box.folder / "a.edf").read_bytes()
    with (box.share / "a.edf").open("wb") as stream:
        stream.write(whole)
        stream.flush()
        box.settled()
        assert box.kept == []
    box.until(lambda: box.kept)


def test_a_file_that_is_written_under_a_temporary_name_and_renamed_is_taken_then(box):
    simple(box.share / ".a.edf.tmp").rename(box.share / "a.edf.part")
    box.settled()
    assert box.kept == []
    (box.share / "a.edf.part").rename(box.share / "a.edf")
    box.until(lambda: box.kept)


def test_a_file_that_never_becomes_whole_is_said_once_and_keeps_no_other_waiting(box, caplog):
    box.configure("incomplete = 0.1")
    box.process.waiting = Waiting(0.1, 0.5)
    whole = simple(box.folder / "a.edf").read_bytes()
    (box.share / "half.edf").write_bytes(whole[:1000])
    (box.share / "whole.edf").write_bytes(whole)
    box.until(lambda: box.kept)
    box.until(lambda: "is not whole" in caplog.text)
    box.settled()
    assert caplog.text.count("is not whole") == 1
    assert f"it has 1000 bytes, by its header it must have {len(whole)}" in caplog.text
    assert (box.share / "half.edf").exists()


def test_a_file_that_cannot_be_read_stays_and_is_said_once_with_the_byte(box, caplog):
    box.configure('taken = "delete"')
    broken = bytearray(simple(box.folder / "a.edf").read_bytes())
    broken[252:256] = b"two "
    (box.share / "broken.edf").write_bytes(broken)
    simple(box.share / "good.edf")
    box.until(lambda: box.kept and "cannot be taken" in caplog.text)
    box.settled()
    assert caplog.text.count("cannot be taken") == 1
    assert "byte 252: number of signals is 'two'" in caplog.text
    assert (box.share / "broken.edf").exists()
    assert "byte 252" in box.process.status["problem"]
    assert box.process.status["file"] == "'broken.edf'"
    (box.share / "broken.edf").unlink()
    box.settled()
    assert (box.process.status["problem"], box.process.status["file"]) == (None, None)


@pytest.mark.parametrize(("how", "stays"), [("leave", True), ("done", False), ("delete", False)])
def test_a_kept_file_stays_or_is_moved_or_is_deleted_as_configured(box, how, stays):
    box.configure(f'taken = "{how}"')
    for number in range(2):  # the device's names come again
        simple(box.share / "REC.EDF", seed=number)
        box.until(lambda number=number: len(box.kept) == number + 1)
    box.settled()
    assert (box.share / "REC.EDF").exists() is stays
    assert len(list((box.share / "done").glob("*"))) == (2 if how == "done" else 0)
    assert [p.name for p in box.share.glob(".*")] == []


@pytest.mark.parametrize("how", ["done", "delete"])
def test_no_file_goes_unread_for_having_the_name_and_time_of_one_that_was_taken(box, how):
    """A device whose clock stands still, or counts in steps of two seconds, writes such files."""
    box.configure(f'taken = "{how}"')
    for seed in (1, 2):
        simple(box.share / "REC.EDF", seed=seed)
        os.utime(box.share / "REC.EDF", (0, 0))
        box.until(lambda: not (box.share / "REC.EDF").exists())
    assert len(box.kept) == 2


def test_a_file_that_was_moved_aside_and_never_read_is_not_deleted_at_the_next_start(box, caplog):
    box.configure('taken = "delete"')
    simple(box.share / ".0123456789abcdef.taken")
    simple(box.share / "a.edf", seed=3)
    box.until(lambda: box.kept)
    assert (box.share / ".0123456789abcdef.taken").exists()
    assert "never read" in caplog.text


def test_recordings_that_the_disk_did_not_let_appear_are_lost_to_no_later_file(box, monkeypatch):
    rename = fsops.rename

    def full(old: Path, new: Path) -> None:
        if new.parent == box.here.acquisitions:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(old, new)

    simple(box.share / "a.edf", seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(fsops, "rename", full)
        with pytest.raises(Fatal):  # the process ends, and systemd begins it again
            box.settled()
    simple(box.share / "b.edf", seed=2)
    box.start()
    box.until(lambda: len(box.kept) == 2)


def test_a_folder_that_does_not_let_its_files_be_moved_costs_nothing_but_a_line(box, caplog):
    box.configure('taken = "done"')
    (box.share / "done").write_text("no folder")
    simple(box.share / "a.edf")
    box.until(lambda: "cannot be put away" in caplog.text)
    box.settled()
    assert len(box.kept) == 1
    assert (box.share / "a.edf").exists()


def test_names_that_mean_harm_are_left_alone(box, caplog, tmp_path):
    secret = simple(tmp_path / "secret.edf")
    (box.share / "link.edf").symlink_to(secret)
    os.mkfifo(box.share / "pipe.edf")
    (box.share / "folder.edf").mkdir()
    (box.share / "done").symlink_to(tmp_path)
    simple(box.share / "two\nlines.edf")
    simple(tmp_path / "x.edf", seed=3).rename(box.share / os.fsdecode(b"\xff\xfe.edf"))
    box.until(lambda: len(box.kept) == 2)
    box.settled()
    assert len(box.kept) == 2
    assert "is no plain file" in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_no_name_of_a_file_is_in_the_log_or_in_what_is_said_of_it_there(box, caplog):
    """Devices name their files after patients; the log goes into journals and support bundles."""
    box.configure('taken = "done"\nincomplete = 0.1')
    box.process.waiting = Waiting(0.1, 0.5)
    whole = simple(box.folder / "a.edf").read_bytes()
    (box.share / "done").write_text("no folder: nothing can be put away")
    (box.share / "Leakname 1.edf").write_bytes(whole)
    box.until(lambda: box.kept)
    (box.share / "Leakname 2.edf").write_bytes(whole)  # a second time
    (box.share / "Leakname 3.edf").write_bytes(whole[:1000])  # never whole
    (box.share / "Leakname 4.edf").write_bytes(b"no EDF".ljust(1000))  # cannot be taken
    (box.share / "Leakname 5.edf").symlink_to(box.folder / "a.edf")
    said = ("cannot be put away", "not taken twice", "is not whole", "cannot be taken", "no plain file")
    box.until(lambda: all(words in caplog.text for words in said))
    assert not [r.getMessage() for r in caplog.records if r.levelno > logging.DEBUG and "Leakname" in r.getMessage()]
    assert "Leakname" not in box.process.status["problem"]
    assert "Leakname 4" in box.process.status["file"]


def test_thousands_of_files_are_looked_at_without_being_kept_in_mind(box):
    whole = simple(box.folder / "a.edf").read_bytes()
    for number in range(3000):
        (box.share / f"{number}.edf").write_bytes(whole[:300])
    simple(box.share / "zz.edf", seed=9)
    box.turn()
    assert len(box.process.waiting) <= 1000


def test_more_files_than_can_be_remembered_are_refused_in_words(box, monkeypatch):
    monkeypatch.setattr("gateway.acquire.listing.MOST", 5)
    for number in range(7):
        simple(box.share / f"{number}.edf", seed=number)
    box.until(lambda: "more than 5 files" in (box.process.status["problem"] or ""))


def test_a_folder_that_is_not_there_is_said_and_waited_for(box, caplog):
    box.share.rmdir()
    box.until(lambda: box.process.status["state"] == "no device")
    box.share.mkdir()
    simple(box.share / "a.edf")
    box.until(lambda: box.kept)
    assert box.process.status["problem"] is None


def test_without_room_nothing_is_begun_and_the_file_is_taken_when_there_is(box, monkeypatch):
    full = Held("no new recording: 1 MiB is free", "make room")
    monkeypatch.setattr("gateway.acquire.collecting.admit", lambda *a, **k: (_ for _ in ()).throw(full))
    simple(box.share / "a.edf")
    box.until(lambda: box.process.status["problem"] == full.message)
    assert box.kept == []
    monkeypatch.setattr("gateway.acquire.collecting.admit", lambda *a, **k: None)
    box.until(lambda: box.kept)
    assert list(box.here.acquisitions.glob(".*")) == []


# Whose it is


def test_a_file_that_comes_during_an_exam_is_the_exams(box):
    box.turn()
    opened = box.exam()
    simple(box.share / "a.edf")
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [opened.exam]


def test_without_an_exam_a_file_is_nobodys(box):
    simple(box.share / "a.edf")
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [None]


def test_a_file_that_was_recorded_before_the_exam_was_opened_is_not_given_to_it_by_guess(box, caplog):
    box.turn()
    box.exam()
    simple(box.share / "late.edf", start=datetime.datetime.now().replace(microsecond=0) - datetime.timedelta(hours=1))
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [None]
    assert "before the exam was opened" in caplog.text


def test_a_laboratory_that_uploads_older_recordings_may_say_so(box):
    box.configure('earlier = "take"')
    box.turn()
    opened = box.exam()
    simple(box.share / "late.edf", start=datetime.datetime.now().replace(microsecond=0) - datetime.timedelta(days=1))
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [opened.exam]


def test_a_file_that_came_before_the_exam_was_opened_is_not_the_exams(box):
    box.configure('earlier = "take"')
    box.process.waiting = Waiting(1.0, 60.0)
    box.turn()
    whole = simple(box.folder / "a.edf").read_bytes()
    (box.share / "a.edf").write_bytes(whole)
    box.until(lambda: len(box.process.waiting))
    box.exam()
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [None]


def test_an_older_file_that_nobody_saw_coming_is_not_the_open_exams_also_where_older_ones_are_taken(box, caplog):
    box.configure('earlier = "take"')
    box.exam()
    simple(box.share / "late.edf", start=datetime.datetime.now().replace(microsecond=0) - datetime.timedelta(days=1))
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [None]
    assert "before anybody looked" in caplog.text


@pytest.mark.parametrize("away", [False, True])
def test_what_lies_on_a_share_that_is_mounted_during_an_exam_did_not_come_during_it(box, away):
    box.configure('earlier = "take"')
    box.turn()
    box.exam()
    if away:
        box.share.rename(box.folder / "local")
        box.until(lambda: box.process.status["problem"])
    (box.folder / "mounted").mkdir()
    yesterday = datetime.datetime.now().replace(microsecond=0) - datetime.timedelta(days=1)
    simple(box.folder / "mounted" / "old.edf", start=yesterday)
    if not away:
        box.share.rename(box.folder / "local")
    (box.folder / "mounted").rename(box.share)
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [None]


def test_a_file_that_names_the_exams_patient_is_the_exams_whenever_it_was_recorded(box):
    box.turn()
    opened = box.exam()
    polysomnogram(box.share / "night.edf", code="P-1")
    box.until(lambda: box.kept)
    assert {one.exam for one in box.kept} == {opened.exam}


def test_what_a_file_says_of_its_patient_is_kept_beside_each_of_its_recordings(box):
    polysomnogram(box.share / "night.edf", code="P-77")
    box.until(lambda: box.kept)
    for one in box.kept:
        assert '"P-77"' in (box.here.acquisition(one.acquisition) / "identified.json").read_text()


def test_an_exam_that_is_closed_while_its_file_is_read_gets_nothing_more(box, monkeypatch):
    box.turn()
    opened = box.exam()
    publish = taking.Taking._publish

    def publishing(self, *args):
        exam.close_exam(box.here, Clock("always"), opened.exam)
        return publish(self, *args)

    monkeypatch.setattr(taking.Taking, "_publish", publishing)
    simple(box.share / "a.edf")
    box.until(lambda: box.kept)
    assert [one.exam for one in box.kept] == [None]


def test_closing_an_exam_waits_for_a_file_that_is_just_coming(box):
    box.turn()
    opened = box.exam()
    simple(box.share / "a.edf")
    answered = threading.Event()

    def stop() -> None:
        box.process.handlers()["stop"]({"exam": opened.exam})
        answered.set()

    asker = threading.Thread(target=stop)
    asker.start()
    box.until(answered.is_set)
    asker.join()
    exam.close_exam(box.here, Clock("always"), opened.exam)
    assert [one.exam for one in box.kept] == [opened.exam]


def test_a_device_of_files_is_not_started_by_hand(box):
    with pytest.raises(Misuse, match="takes what comes into"):
        box.process.handlers()["start"]({"exam": None})


# A power cut between any two lines


class Cut(BaseException):
    """The power goes."""


def _take(box: Box) -> None:
    """Look until nothing is left to be taken, without waiting for anything."""
    box.process.waiting = Waiting(0.0, 60.0)
    for _ in range(3):
        box.process.wake.set()
        box.turn()


@pytest.mark.parametrize("how", ["leave", "done", "delete"])
def test_a_power_cut_at_any_step_loses_no_file_and_takes_none_twice(tmp_path, how, monkeypatch):
    labels = ("EEG Cz-A1", "ECG")
    edfio.Edf([edf_signal(label, 100, 200) for label in labels]).write(tmp_path / "original.edf")
    original = (tmp_path / "original.edf").read_bytes()
    steps, stride = [], 1 if os.environ.get("GATEWAY_SLOW") else 3

    def watch(when: str, what: str, where: str) -> None:
        steps.append((when, what))
        if len(steps) == at:
            raise Cut

    with fast_folder(tmp_path) as memory:
        for at in range(1, 1000, stride):
            folder = memory / str(at)
            folder.mkdir()
            box = Box(folder)
            box.configure(f'taken = "{how}"')
            (box.share / "a.edf").write_bytes(original)
            steps.clear()
            with monkeypatch.context() as patch:
                patch.setattr(fsops, "watch", watch)
                try:
                    _take(box)
                except Cut:
                    pass
                else:
                    break
            box.start()
            _take(box)
            assert sorted(one.kind for one in box.kept) == [Kind.ECG, Kind.EEG], f"after a cut {steps[-1]} at step {at}"
            assert list(box.here.acquisitions.glob(".*")) == []
            assert list(box.share.glob(".*")) == []
            there = (box.share / "a.edf").exists() or (box.share / "done" / "a.edf").exists()
            assert there is (how != "delete")
    assert len(steps) > 50, "every step was met"


# The memory of what was taken


def test_a_torn_line_of_the_memory_is_a_file_that_was_not_taken(tmp_path):
    path = tmp_path / "taken.jsonl"
    memory = Memory(path)
    memory.note("a.edf", Stamp(1, 2), b"a" * 32, ("x",), 0.0)
    with path.open("ab") as stream:
        stream.write(b'{"name": "b.edf", "si')
    again = Memory(path)
    assert again.taken(b"a" * 32)
    assert again.last == ("x",)
    again.note("b.edf", Stamp(1, 2), b"b" * 32, ("y",), 0.0)
    assert Memory(path).taken(b"b" * 32)


def test_a_damaged_line_of_the_memory_takes_nothing_and_says_which(tmp_path):
    path = tmp_path / "taken.jsonl"
    path.write_text("rubbish\n")
    with pytest.raises(Held, match="line 1"):
        Memory(path)


def test_the_memory_is_bounded_and_forgets_nothing_that_is_still_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.acquire.taken.MOST", 10)
    path = tmp_path / "taken.jsonl"
    memory = Memory(path)
    for number in range(40):
        memory.note(f"{number}.edf", Stamp(number, 0), bytes([number]) * 32, (str(number),), 0.0)
    memory.tidy({"3.edf"})
    assert memory.taken(bytes([3]) * 32)
    assert memory.taken(bytes([39]) * 32)
    assert not memory.taken(bytes([4]) * 32)
    assert len(path.read_text().splitlines()) == 11


# Waiting, without a disk


def test_a_file_is_ready_when_it_did_not_change_for_long_enough():
    waiting = Waiting(settle=5.0, patience=60.0)
    waiting.look([("a", Stamp(1, 1))], 0.0)
    waiting.look([("a", Stamp(2, 2))], 4.0)
    assert waiting.ready(8.0) == []
    assert waiting.ready(9.0) == [("a", Stamp(2, 2), None)]


def test_the_arrival_of_a_file_is_when_it_was_first_seen_if_the_folder_was_watched_by_then():
    waiting = Waiting(settle=1.0, patience=60.0)
    waiting.look([("old", Stamp(1, 1))], 0.0)
    waiting.look([("old", Stamp(1, 1)), ("new", Stamp(1, 1))], 2.0)
    waiting.look([("old", Stamp(1, 1)), ("new", Stamp(9, 9))], 3.0)
    assert [(name, arrived) for name, _, arrived in waiting.ready(9.0)] == [("new", 2.0), ("old", None)]


def test_names_are_fit_in_either_case_and_hidden_ones_never():
    patterns = compiled(("*.edf", "*.bdf"))
    assert fits("A.EDF", patterns)
    assert fits("a\nb.bdf", patterns)
    assert not fits(".a.edf", patterns)
    assert not fits("a.edf.part", patterns)


def test_what_lay_in_a_crowded_folder_before_anybody_looked_did_not_come_when_its_turn_came(monkeypatch):
    monkeypatch.setattr("gateway.acquire.waiting.MOST", 1)
    waiting = Waiting(settle=1.0, patience=60.0)
    old = [("a", Stamp(1, 1)), ("b", Stamp(1, 1))]
    waiting.look(old, 0.0)
    waiting.done("a")
    waiting.look(old[1:], 2.0)
    assert waiting.ready(9.0) == [("b", Stamp(1, 1), None)]
    waiting.done("b")
    waiting.look([("c", Stamp(1, 1))], 4.0)
    assert waiting.ready(9.0) == [("c", Stamp(1, 1), 4.0)]


def test_what_comes_while_nobody_looks_came_when_somebody_looked_last():
    waiting = Waiting(settle=1.0, patience=60.0)
    waiting.look([], 0.0)
    waiting.look([("a", Stamp(1, 1))], 600.0)
    assert waiting.ready(601.0) == [("a", Stamp(1, 1), 0.0)]
    waiting.blind()
    waiting.look([("a", Stamp(1, 1)), ("b", Stamp(1, 1))], 602.0)
    assert waiting.ready(603.0) == [("a", Stamp(1, 1), 0.0), ("b", Stamp(1, 1), None)]
