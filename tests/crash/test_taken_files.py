"""A file is taken from a folder while the power fails at any moment, and the disk may hold whatever POSIX allows.

The folder is on another machine's disk: what happens there has happened. GATEWAY_SLOW=1 judges every image.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np
import pytest
from crash.boxes import fast_folder
from crash.cuts import distinct, lay, on, some
from crash.tracing import Trace
from edf_files import edf_signal

from gateway import configuration, records
from gateway.acquire.adapter import adapter_named
from gateway.acquire.collecting import Collecting
from gateway.acquire.recorder import read_facts
from gateway.acquire.waiting import Waiting
from gateway.events import Samples
from gateway.model import Kind
from gateway.settings import Settings

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[spool]
reserve = 0
[[device]]
name = "eeg"
adapter = "edf"
folder = "{folder}/share"
taken = "delete"
sync_interval = 0.05
"""
LABELS = {Kind.EEG: "EEG Cz-A1", Kind.ECG: "ECG"}
MOST = 120


@dataclass(frozen=True)
class Said:
    """What the world outside the disk has at a moment."""

    on_the_share: bool

    def mark(self) -> object:
        return self


class Lost(AssertionError):
    """A file was lost, or taken twice."""


@dataclass
class Story:
    settings: Settings
    file: bytes
    trace: Trace[Said]
    cut: Path

    def judge(self, said: Said, root: Path) -> None:
        """The process starts again: every signal is there once, whole."""
        settings = self.settings
        path = settings.device("eeg").folder / "a.edf"
        path.unlink(missing_ok=True)
        if said.on_the_share:
            path.write_bytes(self.file)
        take(on(settings, root))
        original = edfio.read_edf(io.BytesIO(self.file))
        found: list[Kind] = []
        for folder in sorted((root / "data" / "acquisitions").glob("[!.]*")):
            facts = read_facts(folder)
            if records.ending(folder / "records") is None:
                raise Lost(f"{facts.kind} has no END")
            blocks = [e.data for e in records.events(folder / "records") if isinstance(e, Samples)]
            if not np.array_equal(np.concatenate(blocks)[:, 0], original.get_signal(LABELS[facts.kind]).digital):
                raise Lost(f"{facts.kind} has other samples")
            found.append(facts.kind)
        if sorted(found) != sorted(LABELS):
            raise Lost(f"after the cut there are {found}")

    def broken(self, *sites: str) -> str:
        """What is lost when these places do not sync; "" for nothing."""
        known = {one for one, _, _ in distinct(self.trace)}
        for one, point, image in distinct(self.trace, frozenset(sites)):
            if one in known:
                continue
            lay(image, None, self.cut)
            try:
                self.judge(point.told, self.cut)
            except Exception as error:
                return str(error) or repr(error)
        return ""


def take(settings: Settings) -> None:
    adapter = adapter_named("edf")
    process = Collecting(settings, "eeg", adapter, adapter.decoder(settings.options["eeg"]))
    process.recover()
    process.waiting = Waiting(0.0, 60.0)
    for _ in range(2):
        process.wake.set()
        process.turn(lambda: None)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    out = io.BytesIO()
    edfio.Edf([edf_signal(label, 100, 2000) for label in LABELS.values()]).write(out)
    with fast_folder(tmp_path_factory.mktemp("files")) as folder:
        (folder / "gateway.toml").write_text(CONFIGURATION.format(folder=folder))
        settings = configuration.load(folder / "gateway.toml")
        share = settings.device("eeg").folder
        assert share is not None
        share.mkdir()
        (share / "a.edf").write_bytes(out.getvalue())
        root = folder / "disk"
        (root / "data").mkdir(parents=True)
        here = dataclasses.replace(settings)
        found: Trace[Said] = Trace(root, lambda: Said((share / "a.edf").exists()))
        found.run(lambda: take(on(here, root)))
        assert not (share / "a.edf").exists()
        yield Story(settings, out.getvalue(), found, folder / "cut")


def test_whatever_a_power_cut_leaves_every_signal_is_there_once(story: Story) -> None:
    every = list(distinct(story.trace))
    judged = some(every, MOST)
    for _, point, image in judged:
        lay(image, None, story.cut)
        try:
            story.judge(point.told, story.cut)
        except Exception as error:
            pytest.fail(f"{point.moment} {point.what} of {point.where} ({point.site}): {error!r}")
    print(f"{len(story.trace.points)} cuts, {len(every)} images, {len(judged)} judged")
    assert len(every) > 60


NEEDED = {
    "acquire.recorder.Recorder.begin: make_folder, names": "there are [",
    "acquire.recorder.Recorder.begin: write_json, data": "facts.json",
    "acquire.taken.Memory.note: make_folder, names": "there are [",
    "acquire.taken.Memory.note: append, data": "there are [",
    "acquire.taken.Memory.note: append, names": "there are [",
    "records.Writer.close: data": "has no END",
}
REPEATED = {
    "acquire.taking.Taking._appear: rename, names": "what was noted and is out of sight appears at the next start",
}


@pytest.mark.parametrize("site", NEEDED)
def test_without_this_fsync_a_file_would_be_lost_or_taken_twice(story: Story, site: str) -> None:
    assert NEEDED[site] in story.broken(site)


@pytest.mark.parametrize("site", REPEATED)
def test_what_this_fsync_makes_durable_is_done_again_if_it_is_lost(story: Story, site: str) -> None:
    assert story.broken(site) == ""


def test_the_model_meets_every_step_of_taking_a_file(story: Story) -> None:
    met = {site for site in story.trace.sites() if site.startswith("acquire.tak")}
    assert met == {site for site in (*NEEDED, *REPEATED) if site.startswith("acquire.tak")}
