"""Negative controls: without any one fsync a promise is broken, so each is needed, and the model would notice its loss.

A new call of fsync that the day meets is a new row here; one that it does not meet is in ``NOT_MET``, with a reason.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from crash.boxes import DAYS, fast_folder
from crash.cuts import Key, breaks, distinct, trace
from crash.told import Told
from crash.tracing import Trace

from gateway.settings import Settings

GATEWAY = Path(__file__).parents[2] / "gateway"
# Who asks for an fsync, through which function of fsops, and for what; and what is said when it does nothing.
NEEDED_IN_A_DAY = {
    "acquire.recorder.Recorder.begin: make_folder, names": "synced samples are gone",
    "acquire.recorder.Recorder.begin: write_json, data": "facts.json cannot be read",
    "acquire.recorder.Recorder.begin: write_json, names": "left over in acquisitions/",
    "acquire.recorder.Recorder.sync_if_due: data": "synced samples are gone",
    "acquire.standing.forget: unlink, names": "was stopped, and goes on",
    "acquire.standing.keep: make_folder, names": "the order to ecg1 is forgotten",
    "acquire.standing.keep: write_json, data": "the order to ecg1 is forgotten",
    "acquire.standing.keep: write_json, names": "the order to ecg1 is forgotten",
    "dicom.writing._File.close: new_file, data": "is not what was written",
    "exam.keep: make_folder, names": "there is no exam",
    "exam.keep: write_json, data": "exam.json is damaged",
    "exam.keep: write_json, names": "there is no exam",
    "exam.only_one: make_folder, names": "there is no exam",
    "interrupted.finish: truncate, data": "damaged in the middle",
    "records.Writer.__init__: data": "is not a record file",
    "records.Writer.__init__: names": "synced samples are gone",
    "records.Writer.close: data": "damaged in the middle",
    "spool.audit.append: data": "nobody knows by whom",
    "spool.audit.append: names": "nobody knows by whom",
    "spool.holding.attribute: write_json, data": "attributed.json is damaged",
    "spool.holding.attribute: write_json, names": "is nobody's again",
    "spool.holding.hold: write_json, data": "held.json cannot be read",
    "spool.holding.hold: write_json, names": "is forgotten",
    "spool.holding.release: unlink, names": "was released, and is held again",
    "spool.intake.make: make_folder, names": "committed to 0 instances",
    "spool.intake.make: rename, names": "committed to 0 instances",
    "spool.layout.write_sums: write_file, data": "lost its hash",
    "spool.layout.write_sums: write_file, names": "lost its hash",
    "spool.leftovers.discard: rename, names": "left over in acquisitions/",
    "spool.space.finish_purge: remove_folder, names": "left over in acquisitions/",
    "spool.marks._change: unlink, names": "was released, and is held again",
    "spool.marks._change: write_json, data": "cannot be read",
    "spool.marks._change: write_json, names": "is forgotten",
    "worklists.keep_worklist: make_folder, names": "the worklist is gone",
    "worklists.keep_worklist: new_file, data": "the worklist cannot be read",
    "worklists.keep_worklist: new_file, names": "the worklist is gone",
}
NEEDED = {
    "whole": NEEDED_IN_A_DAY,
    "clock_set_later": {
        "interrupted.finish: data": "committed to 0 instances",
        "interrupted._keep_torn: new_file, data": "the torn end",
        "interrupted._keep_torn: new_file, names": "the torn end",
        "spool.dating._told: write_json, data": "began at different times",
        "spool.dating._told: write_json, names": "began at different times",
        "spool.intake.Intake._clock_allows: write_json, data": "facts.json",
        "spool.intake.Intake._clock_allows: write_json, names": "say different times",
    },
    "imported": {
        "spool.imports.stage: make_folder, names": "is gone",
        "spool.imports.stage: new_file, data": "left over in instances/",
        "spool.imports.stage: rename, names": "is gone",
        "spool.imports.Imports._take: rename, names": "left over in instances/",
    },
    "two_instances": {"spool.space.finish_purge: unlink, names": "it was purged, but lies"},
}
# Alone it changes nothing, because another one that follows covers it; both together do.
COVERED = {
    "dicom.writing._File.close: new_file, names": (
        "whole",
        "spool.layout.write_sums: write_file, names",
        "no power cut should do that",
    ),
    "spool.imports.stage: new_file, names": (
        "imported",
        "spool.layout.write_sums: write_file, names",
        "left over in instances/",
    ),
}
# What comes back is done again, or swept, at the next start. fsops promises more than these need.
REPEATED = {
    "spool.leftovers._finish_discard: remove_folder, names": "the remains are swept at the next start",
}
# Places in the path of data that the day does not meet.
NOT_MET = {
    "acquire.admission.only_capture": "a lock in the runtime folder, which no reboot survives",
    "acquire.recorder.Recorder.identify": "what a device says is asked about in tests/spool/test_identified.py",
    "acquire.standing.resumed": "removes what nobody was told of; what comes back is swept again",
    "acquire.taken.Memory._cut_torn_line": "cuts off what nobody was told of; what comes back is cut off again",
    "acquire.taken.Memory.note": "cut in crash/test_taken_files.py",
    "acquire.taken.Memory.tidy": "forgets what is long gone; what comes back is forgotten again",
    "acquire.taking.Taking._abandon": "removes what nobody was told of; what comes back is removed at the next start",
    "acquire.taking.Taking._appear": "cut in crash/test_taken_files.py",
    "acquire.taking.Taking.recover": "removes what nobody was told of; what comes back is removed again",
    "dicom.frames.pixel_file.Steady.write": "syncs in between, so that the last one, which counts, is short",
    "dicom.frames.pixel_file.write": "as dicom.writing._File.close, which is named above: the day records no pictures",
    "dicom.frames.wrapping.wrap": "removes files of a wrapping that failed: nobody was told of them",
    "dicom.rejection.write": "cut in crash/test_correction.py",
    "dicom.writing._File.__init__": "opens what close() makes durable, which is named above",
    "dicom.writing._File.put": "syncs in between, so that the last one, which counts, is short",
    "dicom.writing.write": "removes files of a wrapping that failed: nobody was told of them",
    "exam.note_change": "the next answer of the RIS says it again",
    "exam.sweep": "removes what nobody was told of; what comes back is swept again",
    "records.Writer.sync": "stands for its callers, which are named above",
    "spool.ballast.Ballast.throw_overboard": "there is nothing in it; what comes back is room that is kept again",
    "spool.doubts.confirm": "comes before the release that follows from it; lost alone, the person is asked again",
    "spool.holding.correct": "cut in crash/test_correction.py",
    "spool.imports.Imports._make_whole": "a damaged instance given back: what is lost of that, its hash tells again",
    "spool.imports._sweep": "removes what nobody was told of; what comes back is swept again",
    "spool.imports.claimed": "the folder is there already",
    "spool.intake.Intake._forget_unbegun": "removes what nobody was told of; what comes back is removed again",
    "spool.ledger.Ledger.__init__": "the folder is there already",
    "spool.ledger._set_aside": "a damaged ledger: SQLite's own affair",
    "spool.leftovers.sweep": "removes what nobody was told of; what comes back is swept again",
    "spool.reattribution.Reattribution._rejections": "cut in crash/test_correction.py",
    "spool.recover.Recovery.__init__": "removes half a wrapping; what comes back is swept again",
    "spool.remake.remake": "a damaged instance made anew for a person: what is lost of that, its hash tells again",
}


@dataclass
class Traced:
    settings: Settings
    trace: Trace[Told]
    known: set[Key]  # the images of the product as it is
    cut: Path

    def broken(self, *sites: str) -> str | None:
        """What is broken when these places do not sync."""
        return breaks(self.settings, self.trace, self.known, frozenset(sites), self.cut)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Traced]]:
    made = {}
    with contextlib.ExitStack() as folders:
        for day, box in DAYS.items():
            folder = folders.enter_context(fast_folder(tmp_path_factory.mktemp(day)))
            settings = box(folder)
            found = trace(settings, day)
            made[day] = Traced(settings, found, {one for one, _, _ in distinct(found)}, folder / "cut")
        yield made


@pytest.mark.parametrize(("day", "site"), [(day, site) for day, sites in NEEDED.items() for site in sites])
def test_without_this_fsync_a_promise_is_broken(day: str, site: str, days: dict[str, Traced]) -> None:
    assert NEEDED[day][site] in str(days[day].broken(site))


@pytest.mark.parametrize("site", COVERED)
def test_this_fsync_and_the_one_that_covers_it_are_not_both_dispensable(site: str, days: dict[str, Traced]) -> None:
    day, other, words = COVERED[site]
    assert days[day].broken(site) is None
    assert words in str(days[day].broken(site, other))


@pytest.mark.parametrize("site", REPEATED)
def test_what_this_fsync_makes_durable_is_done_again_if_it_is_lost(site: str, days: dict[str, Traced]) -> None:
    assert days["whole"].broken(site) is None


CONTROLLED = {site for sites in NEEDED.values() for site in sites} | set(COVERED) | set(REPEATED)


def test_each_fsync_that_a_day_meets_has_its_control(days: dict[str, Traced]) -> None:
    met = {site for traced in days.values() for site in traced.trace.sites() if not site.startswith("crash.")}
    assert met == CONTROLLED


DURABLE = {"append", "make_folder", "new_file", "remove_folder", "rename", "sweep", "sync", "sync_folder", "truncate"}
DURABLE |= {"unlink", "write_at", "write_file", "write_json"}


def places() -> set[str]:
    """Every function in the path of data, from the device to the purge, that asks fsops for something durable."""
    found = set()
    shared = [GATEWAY / f"{name}.py" for name in ("exam", "interrupted", "records", "worklists")]
    for path in [
        *shared,
        *(p for part in ("acquire", "dicom", "spool") for p in sorted((GATEWAY / part).rglob("*.py"))),
    ]:
        module = ".".join(path.relative_to(GATEWAY).with_suffix("").parts)
        for name, function in functions(ast.parse(path.read_text(encoding="utf-8"))):
            calls = [n.func for n in ast.walk(function) if isinstance(n, ast.Call)]
            asks = [c.attr for c in calls if isinstance(c, ast.Attribute) and ast.unparse(c.value) == "fsops"]
            if DURABLE.intersection(asks):
                found.add(f"{module}.{name}")
    return found


def functions(tree: ast.AST, above: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{above}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield f"{above}{node.name}", node


def test_each_place_that_the_day_does_not_meet_is_known_with_its_reason() -> None:
    met = {site.partition(":")[0] for site in CONTROLLED}
    assert places() - met == set(NOT_MET)
