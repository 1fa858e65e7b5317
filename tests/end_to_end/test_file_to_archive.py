"""A polysomnogram is dropped into a folder: its signals come back from a real archive, sample for sample."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pydicom
from edf_files import polysomnogram
from orthanc import orthanc
from pydicom.waveforms import multiplex_array
from waiting import eventually

from gateway import exam, local
from gateway.clock import Clock
from gateway.model import Attributed
from gateway.sop_classes import WRITTEN
from gateway.trial.ports import free_port
from gateway.trial.workshop import workshop
from gateway.verbs.exams import stop_exam

CONFIGURATION = """
[gateway]
data = "{out}/data"
runtime = "{runtime}"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = 0
[[device]]
name = "psg"
adapter = "edf"
folder = "{out}/share"
settle = 0.2
taken = "delete"
signals = ["EOG E1-A2=EOG:ElL-A2", "EOG E2-A2=EOG:ErL-A2", "EMG chin=EMG:mentalis-mentalis"]
[[destination]]
name = "pacs"
ae_title = "{pacs}"
host = "127.0.0.1"
port = {port}
retry_first = 0.2
[console]
port = 0
"""
PATIENT = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
}
CLASSES = {
    "sleep-eeg": ["EEG C3-A2", "EEG C4-A1"],
    "eog": ["EOG E1-A2", "EOG E2-A2"],
    "emg": ["EMG chin"],
    "general": ["ECG II"],
    "respiratory-channels": ["Resp nasal", "Resp thorax"],
    "hemodynamic": ["SaO2"],
}


def test_every_signal_of_a_file_comes_back_from_the_archive_in_the_class_of_its_kind(tmp_path: Path) -> None:
    listen = free_port()
    original = polysomnogram(tmp_path / "original.edf")
    file = edfio.read_edf(original)
    with (
        orthanc(tmp_path / "orthanc", box_port=listen) as archive,
        workshop(tmp_path / "box") as shop,
    ):
        share = shop.out / "share"
        share.mkdir()
        settings = shop.configure(
            CONFIGURATION.format(
                out=shop.out, runtime=shop.runtime, listen=listen, pacs=archive.ae_title, port=archive.port
            )
        )
        for started in (shop.start("forward"), shop.start("capture", "psg")):
            started.wait_ready()
        opened = exam.open_exam(settings.places, Clock("always"), ("psg",), Attributed.MANUAL, PATIENT)
        (share / "night.edf").write_bytes(original.read_bytes())
        stop_exam(settings, opened.exam)  # it waits for the file that is coming

        def found() -> dict:
            return local.ask(settings.places.socket("forward"), {"do": "exam", "exam": opened.exam}, 30)

        def committed() -> bool:
            states = [one["state"] for one in found()["deliveries"]]
            return len(states) == len(CLASSES) and set(states) == {"COMMITTED"}

        logs = lambda: [(p.name, p.log.read_text()[-3000:]) for p in shop.processes.values()]  # noqa: E731
        eventually(committed, lambda: f"{found()} {logs()}")
        assert not (share / "night.edf").exists()
        back = []
        for number, uid in enumerate(archive.instances().values()):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(archive.bytes(f"/instances/{uid}/file"))
            back.append(pydicom.dcmread(path))
    by_class = {head.SOPClassUID: head for head in back}
    assert set(by_class) == {WRITTEN[key] for key in CLASSES}
    for key, labels in CLASSES.items():
        head = by_class[WRITTEN[key]]
        assert head.PatientID == "P-1"
        assert head.AcquisitionDateTime.startswith("20260304223015.250000")
        assert head.get("AcquisitionTimeSynchronized", "N") == "N"
        assert head.StudyInstanceUID == opened.study_uid
        values = multiplex_array(head, 0, as_raw=False)
        for column, label in zip(values.T, labels, strict=True):
            assert np.allclose(column, file.get_signal(label).data, rtol=1e-12, atol=1e-6), label
    texts = [item.UnformattedTextValue for item in by_class[WRITTEN["sleep-eeg"]].WaveformAnnotationSequence]
    assert {"Sleep stage W", "Lights off"} <= set(texts)
    texts = [item.UnformattedTextValue for item in by_class[WRITTEN["respiratory-channels"]].WaveformAnnotationSequence]
    assert texts.count("Apnea@@Resp nasal") == 1
