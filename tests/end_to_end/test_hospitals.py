"""The promise as the user would check it: what the device sent lies in the PACS, under the right patient, committed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from box import Box, box
from dcmtk import storescp
from dcmtk import worklist as wlmscpfs
from orthanc import Orthanc, orthanc
from peers import need
from pydicom import Dataset, dcmread

from gateway.dicom import waveform
from gateway.transfer import part10
from gateway.trial import patients, verdict
from gateway.trial.device import Counts, synthetic, wfdb_counts
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port

NAMES = {p.id: p.name for p in patients.PATIENTS}
STEPS = {p.id: f"SPS{n:04}" for n, p in enumerate(patients.PATIENTS, 1)}
GENERAL, GENERAL_32 = "1.2.840.10008.5.1.4.1.1.9.1.2", "1.2.840.10008.5.1.4.1.1.9.1.4"
TWELVE, AMBULATORY = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.3"
COUNTS = synthetic(600)


@pytest.fixture(scope="session")
def record_100() -> Counts:
    """Record 100 of MIT-BIH, as the board counts it."""
    folder = os.environ.get("GATEWAY_CASES", "")
    if not (Path(folder) / "wfdb" / "100.dat").exists():
        pytest.skip("GATEWAY_CASES names no folder with wfdb/100")
    return wfdb_counts(Path(folder) / "wfdb" / "100", samples=250 * 60)


def exactly(file: Path, counts: Counts) -> bool:
    """Whether the recorded leads are the very counts that were sent (32-bit class)."""
    group = waveform.groups(file)[0]
    names = [trace.label for trace in group.traces]
    columns = [names.index(lead) for lead in verdict.RECORDED]
    return bool(np.array_equal(group.samples[:, columns], counts[: len(group.samples)]))


def data_set(file: Path) -> bytes:
    """The bytes behind the file meta information, which is each side's own."""
    with file.open("rb") as stream:
        stream.seek(part10.read(stream.fileno(), str(file)).offset)
        return stream.read()


@pytest.fixture(scope="module", params=["same", "before", "new"])
def embedded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Box, Hospital]]:
    """The embedded hospital, reporting commitment in each way the standard allows; lossless 32-bit."""
    folder = tmp_path_factory.mktemp("embedded")
    listen = free_port()
    with Hospital(folder / "hospital", items=patients.items("GATEWAY"), report=request.param) as hospital:
        hospital.callers["GATEWAY"] = ("127.0.0.1", listen)
        peer = (hospital.ae_title, hospital.port)
        with box(folder / "out", COUNTS, peer, peer, listen, device='iod = "general-32"') as made:
            yield made, hospital


def test_the_embedded_hospital_gets_every_count_to_the_bit_and_the_whole_story(embedded: tuple[Box, Hospital]) -> None:
    made, hospital = embedded
    begun = made.player.position
    exam = made.record(STEPS["PAT-0003"])
    found = made.until(exam.exam, "COMMITTED")
    stored = hospital.file(found["instances"][0]["uid"])
    held = dcmread(stored)
    assert held.SOPClassUID == GENERAL_32
    assert exactly(stored, COUNTS[begun:])
    assert data_set(stored) == data_set(made.file(found))
    assert str(held.PatientName) == NAMES["PAT-0003"]
    assert hospital.stored[held.SOPInstanceUID] == 1
    _the_step_was_reported(made, hospital, exam.exam, exam.step_uid, held)


def _the_step_was_reported(made: Box, hospital: Hospital, exam: str, step_uid: str, held: Dataset) -> None:
    for _ in range(600):
        if all(s["state"] == "DONE" for s in made.forward(do="exam", exam=exam)["steps"]):
            break
        made.shop.processes["forward"].wait_ready()
    step = Dataset.from_json(hospital.steps.by_uid[step_uid])
    assert step.PerformedProcedureStepStatus == "COMPLETED"
    assert step.PatientName == held.PatientName
    series = step.PerformedSeriesSequence[0]
    named = [i.ReferencedSOPInstanceUID for i in series.ReferencedNonImageCompositeSOPInstanceSequence]
    assert (series.SeriesInstanceUID, named) == (held.SeriesInstanceUID, [held.SOPInstanceUID])
    assert held.ReferencedPerformedProcedureStepSequence[0].ReferencedSOPInstanceUID == step_uid


@pytest.fixture(scope="module")
def at_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Box, Orthanc]]:
    """Orthanc as RIS (worklist plug-in) and PACS (storage, commitment); it knows no MPPS."""
    folder = tmp_path_factory.mktemp("orthanc")
    listen = free_port()
    with (
        orthanc(folder, "GATEWAY", listen, patients.items("GATEWAY")) as pacs,
        box(folder / "out", COUNTS, (pacs.ae_title, pacs.port), (pacs.ae_title, pacs.port), listen, mpps=False) as made,
    ):
        yield made, pacs


# Orthanc 1.10 answers its worklist in Latin 1 and loses what that cannot say: the others go through wlmscpfs.
@pytest.mark.parametrize("patient", ["PAT-0001", "PAT-0002", "PAT-0005"])
def test_orthanc_stores_commits_and_gives_the_same_ecg_back(at_orthanc: tuple[Box, Orthanc], patient: str) -> None:
    made, pacs = at_orthanc
    begun = made.player.position
    exam = made.record(STEPS[patient])
    found = made.until(exam.exam, "COMMITTED")
    uid = found["instances"][0]["uid"]
    returned = made.shop.out / f"{patient}.dcm"
    returned.write_bytes(pacs.bytes(f"/instances/{pacs.instances()[uid]}/file"))
    held = dcmread(returned)
    assert (held.SOPClassUID, str(held.PatientName), held.PatientID) == (TWELVE, NAMES[patient], patient)
    compared = verdict.compare(returned, COUNTS[begun:])
    assert compared.equal, compared.words


@pytest.mark.parametrize(("iod", "sop_class"), [("general", GENERAL), ("ambulatory", AMBULATORY)])
def test_the_other_16_bit_classes_go_through_orthanc_as_well(tmp_path: Path, iod: str, sop_class: str) -> None:
    listen = free_port()
    with (
        orthanc(tmp_path, "GATEWAY", listen, patients.items("GATEWAY")) as pacs,
        box(
            tmp_path / "out",
            COUNTS,
            (pacs.ae_title, pacs.port),
            (pacs.ae_title, pacs.port),
            listen,
            device=f'iod = "{iod}"',
            mpps=False,
        ) as made,
    ):
        begun = made.player.position
        found = made.until(made.record("SPS0001").exam, "COMMITTED")
        returned = tmp_path / "returned.dcm"
        returned.write_bytes(pacs.bytes(f"/instances/{pacs.instances()[found['instances'][0]['uid']]}/file"))
        assert dcmread(returned).SOPClassUID == sop_class
        compared = verdict.compare(returned, COUNTS[begun:])
        assert compared.equal, compared.words


def test_a_class_that_orthanc_refuses_is_held_with_words(tmp_path: Path) -> None:
    with (
        orthanc(tmp_path, "GATEWAY", 0, patients.items("GATEWAY")) as pacs,
        box(
            tmp_path / "out",
            COUNTS,
            (pacs.ae_title, pacs.port),
            (pacs.ae_title, pacs.port),
            device='iod = "general-32"',
            mpps=False,
        ) as made,
    ):
        exam = made.record("SPS0001")
        found = made.until(exam.exam, "held")
        assert "General 32-bit ECG" in found["deliveries"][0]["held"], found["deliveries"]
        assert pacs.instances() == {}
        assert not made.forward(do="status")["well"]
        assert made.file(found).exists()


def test_a_refused_class_is_rewrapped_where_configured_and_then_committed(tmp_path: Path) -> None:
    listen = free_port()
    with (
        orthanc(tmp_path, "GATEWAY", listen, patients.items("GATEWAY")) as pacs,
        box(
            tmp_path / "out",
            COUNTS,
            (pacs.ae_title, pacs.port),
            (pacs.ae_title, pacs.port),
            listen,
            device='iod = "general-32"\nrefused_class = "rewrap"',
            mpps=False,
        ) as made,
    ):
        begun = made.player.position
        exam = made.record("SPS0001")
        found = made.until(exam.exam, "COMMITTED")
        stored = pacs.instances()
        assert len(stored) == 1
        sent = next(i for i in found["instances"] if i["uid"] in stored)
        assert sent["class"] in (TWELVE, GENERAL)
        assert verdict.compare(made.settings.places.data / sent["path"], COUNTS[begun:]).equal


@pytest.mark.parametrize(
    ("iod", "sop_class", "options"),
    [
        ("auto", TWELVE, ()),
        ("general", GENERAL, ()),
        ("ambulatory", AMBULATORY, ()),
        ("general-32", GENERAL_32, ("-pm",)),
    ],
)
def test_record_100_comes_out_of_dcmtk_as_it_went_into_the_board(
    tmp_path: Path, record_100: Counts, iod: str, sop_class: str, options: tuple[str, ...]
) -> None:
    with (
        storescp(tmp_path / "pacs", "+xa", *options) as pacs,
        wlmscpfs(tmp_path / "worklist", patients.items("GATEWAY")) as ris,
        box(
            tmp_path / "out",
            record_100,
            ("STORESCP", pacs),
            ("RIS", ris),
            device=f'iod = "{iod}"',
            destination='policy = "stored"',
            mpps=False,
        ) as made,
    ):
        exam = made.record("SPS0004", seconds=8.0)
        made.until(exam.exam, "STORED")
        (stored,) = (tmp_path / "pacs").iterdir()
        held = dcmread(stored)
        assert held.SOPClassUID == sop_class
        if iod == "general-32":
            assert exactly(stored, record_100)
        else:
            compared = verdict.compare(stored, record_100)
            assert compared.equal, compared.words


def test_every_name_travels_unharmed_from_wlmscpfs_to_storescp(tmp_path: Path) -> None:
    need("dcmdump")
    with (
        storescp(tmp_path / "pacs", "+xa") as pacs,
        wlmscpfs(tmp_path / "worklist", patients.items("GATEWAY")) as ris,
        box(
            tmp_path / "out", COUNTS, ("STORESCP", pacs), ("RIS", ris), destination='policy = "stored"', mpps=False
        ) as made,
    ):
        for patient in NAMES:
            made.until(made.record(STEPS[patient], seconds=1.0).exam, "STORED")
        stored = [dcmread(io.BytesIO(p.read_bytes())) for p in (tmp_path / "pacs").iterdir()]
        assert {str(s.PatientID): str(s.PatientName) for s in stored} == NAMES
