"""A recording is given to the right patient while the power fails at any moment: nothing more goes to the wrong one."""

from __future__ import annotations

import io
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pydicom
import pytest
import spooling
from crash.boxes import a_box, fast_folder
from crash.cuts import distinct, lay, on
from crash.found import require
from crash.story import Box, Day, after_a_reboot, patient
from crash.told import Decision, Told
from crash.tracing import Trace
from tiers import SLOW

from gateway import corrections, exam
from gateway.clock import Clock
from gateway.dicom import rejection
from gateway.dicom.check import check
from gateway.errors import Held
from gateway.model import Attributed, Exam
from gateway.settings import Settings
from gateway.spool.reattribution import Reattribution

pytestmark = pytest.mark.timeout(1800)
MOST = 150


def desk(box: Box, settings: Settings, when: Clock) -> Reattribution:
    return Reattribution(settings, box.ledger, when, box.told.wrap, check, lambda: None)


def right_exam(settings: Settings, when: Clock, wrong: str) -> Exam:
    here = settings.places
    return corrections.correct(here, when, exam.load(here, wrong), Attributed.SCHEDULED, patient(2), why="mixed up")


class Correction(Day):
    """Sent to one PACS, not yet to the archive, when a person finds that it is another patient's."""

    def corrected(self) -> None:
        mine = self.exam(1, "ecg1")
        name = self.record("ecg1", mine, 1)
        self.close(mine)
        box = Box(self.settings, self.told)
        box.take_in()
        box.couriers[0].turn()
        right = right_exam(self.settings, self.clock, mine)
        self.told.decisions.append(Decision("reattribute", name))
        desk(box, self.settings, self.clock).asked({"instance": name, "to": right.exam, "who": "Ann"})
        self.told.decisions[-1] = Decision("reattribute", name, answered=True)
        for _ in range(3):
            box.deliver()
        exam.close_exam(self.settings.places, self.clock, right.exam)
        box.ledger.close()


def held_by(pacs: Any) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(io.BytesIO(data)) for data in pacs.held.values()]


def offers(told: Told) -> Counter[str]:
    """How often anything was offered under the wrong patient, by PACS."""
    found: Counter[str] = Counter()
    for name, pacs in told.pacs.items():
        read = (pydicom.dcmread(io.BytesIO(data)) for _, data in pacs.offers)  # type: ignore[attr-defined]
        found[name] = sum(d.PatientID == "PAT-1" and d.Modality == "ECG" for d in read)
    return found


def judge(settings: Settings, told: Told, root: Path) -> None:
    """The box starts again, a person gives the same command again, and everything is sent that may be."""
    elsewhere = on(settings, root)
    (wrong,) = told.exams
    (name,) = told.recordings
    answered = told.decided("reattribute", name) is not None and told.decided("reattribute", name).answered  # type: ignore[union-attr]
    before = offers(told)
    with after_a_reboot() as when:
        box = Box(elsewhere, told, when)
        for _ in range(2):
            box.take_in()
            box.deliver()
        if answered:
            require(offers(told) == before, "it was given to the right patient, and went to the wrong one again")
        again = next((e for e in exam.exams(elsewhere.places) if e.corrects is not None), None)
        right = again or right_exam(elsewhere, when, wrong)
        ours = desk(box, elsewhere, when)
        ours.asked({"instance": name, "to": right.exam, "who": "Ann"})
        before = offers(told)
        for _ in range(3):
            box.take_in()
            box.deliver()
        require(offers(told) == before, "it was given to the right patient, and went to the wrong one afterwards")
        box.ledger.close()
    for to, pacs in told.pacs.items():
        ecgs = [d for d in held_by(pacs) if d.Modality == "ECG"]
        notes = [d for d in held_by(pacs) if d.SOPClassUID == rejection.SOP_CLASS]
        rightly = [d for d in ecgs if d.PatientID == "PAT-2"]
        require(len(rightly) == 1, f"{to} has {len(rightly)} instances of the right patient")
        samples = rightly[0].WaveformSequence[0].NumberOfWaveformSamples
        require(samples == len(told.recordings[name].truth), f"{to} has {samples} samples")
        rejected = {
            s.ReferencedSOPInstanceUID
            for note in notes
            for series in note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
            for s in series.ReferencedSOPSequence
        }
        wrongly = {d.SOPInstanceUID for d in ecgs if d.PatientID == "PAT-1"}
        require(wrongly <= rejected, f"{to} has an instance of the wrong patient, and no note withdraws it")
        require({d.SOPInstanceUID for d in (*rightly, *notes)} <= pacs.committed, f"{to} was not asked for all")


def recorded(told: Told) -> bool:
    """Whether the day had come so far that there is something to correct."""
    return bool(told.exams) and any(p.ended for p in told.recordings.values())


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with fast_folder(tmp_path_factory.mktemp("correction")) as folder:
        settings = a_box(folder)
        root = folder / "disk"
        root.mkdir()
        day = Correction(on(settings, root))
        found: Trace[Told] = Trace(root, day.told.copied)
        found.run(day.corrected)
        yield settings, found, folder / "cut"


def images(found: Trace[Told], without: frozenset[str] = frozenset()) -> list[Any]:
    return [one for one in distinct(found, without) if recorded(one[1].told)]


def test_whatever_a_power_cut_leaves_of_a_correction_nothing_more_goes_to_the_wrong_patient(traced: Any) -> None:
    settings, found, cut = traced
    every = images(found)
    judged = every if SLOW or len(every) <= MOST else random.Random(5).sample(every, MOST)
    for _, point, image in judged:
        lay(image, point.ledger, cut)
        try:
            judge(settings, point.told.copied(), cut)
        except Exception as error:
            pytest.fail(f"{point.moment} {point.what} of {point.where} ({point.site}): {error!r}")
    print(f"correction: {len(found.points)} cuts, {len(every)} images, {len(judged)} judged")
    assert len(every) > 60


def test_without_the_fsync_of_whose_it_is_a_power_cut_would_leave_it_unreadable(traced: Any) -> None:
    """The negative control. Where only its name is lost, the same command does it again."""
    settings, found, cut = traced
    known = {one[0] for one in images(found)}
    for key, point, image in images(found, frozenset({"spool.holding.correct: write_json, data"})):
        if key not in known:
            lay(image, point.ledger, cut)
            with pytest.raises(Held, match="is damaged"):
                judge(settings, point.told.copied(), cut)
            return
    pytest.fail("the model does not notice")


def test_the_model_meets_every_step_of_a_correction(traced: Any) -> None:
    _, found, _ = traced
    met = {site.partition(":")[0] for site in found.sites()}
    assert {"spool.holding.correct", "dicom.rejection.write", "spool.reattribution.Reattribution._rejections"} <= met
    assert spooling.CLOCK.trusted()
