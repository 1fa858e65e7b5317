"""Real archives take a rejection note as they take the recording that it withdraws."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dcmtk import storescp
from orthanc import Orthanc
from pictures import Taken, wrapped
from pydicom import dcmread

from gateway.dicom import rejection
from gateway.model import InstanceRef, Picture
from gateway.settings import Box
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store

AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
WORDS = "Stored under the wrong patient."


def note_of(ecg: InstanceRef, folder: Path) -> InstanceRef:
    folder.mkdir()
    uid = rejection.write([Path(ecg.path)], rejection.WRONG_ENTRY, WORDS, AT, Box(), folder)
    return InstanceRef(rejection.SOP_CLASS, uid, rejection.EXPLICIT, str(folder / f"{uid}.dcm"))


@pytest.mark.parametrize(("kind", "value_type"), [("ecg", "WAVEFORM"), ("still", "IMAGE"), ("report", "COMPOSITE")])
def test_a_note_refers_to_each_instance_as_what_it_is(
    kind: str, value_type: str, tmp_path: Path, ecg: Callable[..., InstanceRef]
) -> None:
    """TID 2010: a document is neither an image nor a waveform."""
    if kind == "ecg":
        rejected = ecg()
    else:
        data = Taken(Picture("GREY", 4, 2)).frames(bytes(8))
        report = Taken(Picture("PDF", 0, 0)).frames(b"%PDF-1.4\n%%EOF")
        (rejected,) = wrapped(tmp_path / kind, data if kind == "still" else report)
    reference = dcmread(note_of(rejected, tmp_path / "note").path).ContentSequence[1]
    assert reference.ValueType == value_type
    assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == rejected.sop_instance_uid


def test_orthanc_files_the_note_with_the_patient_and_study_that_it_speaks_of(
    tmp_path: Path, pacs: Orthanc, call: Callable[..., Peer], ecg: Callable[..., InstanceRef]
) -> None:
    recording = ecg()
    note = note_of(recording, tmp_path / "note")
    told = list(store.send(call(pacs.port, pacs.ae_title), [recording, note]))
    assert [outcome.kind for _, outcome in told] == ["done", "done"]
    there = pacs.instances()
    studies = {pacs.get(f"/instances/{there[i.sop_instance_uid]}/study")["ID"] for i in (recording, note)}
    assert len(studies) == 1
    stored = dcmread(io.BytesIO(pacs.bytes(f"/instances/{there[note.sop_instance_uid]}/file")))
    assert stored.ConceptNameCodeSequence[0].CodeValue == "113038"
    assert stored.ContentSequence[0].TextValue == WORDS


def test_dcmtk_takes_it_byte_for_byte(
    tmp_path: Path, call: Callable[..., Peer], ecg: Callable[..., InstanceRef]
) -> None:
    note = note_of(ecg(), tmp_path / "note")
    with storescp(tmp_path / "stored", "+B") as port:
        ((_, outcome),) = store.send(call(port), [note])
    assert outcome.kind == "done"
    (kept,) = (tmp_path / "stored").iterdir()
    assert dcmread(kept) == dcmread(note.path)


def test_written_again_it_is_the_same_note(tmp_path: Path, ecg: Callable[..., InstanceRef]) -> None:
    recording = ecg()
    first, second = note_of(recording, tmp_path / "first"), note_of(recording, tmp_path / "second")
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes()
