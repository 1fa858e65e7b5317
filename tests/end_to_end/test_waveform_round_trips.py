"""Every waveform class there and back: by C-STORE or, what it refuses, by STOW-RS through Orthanc, and through DCMTK.

What comes back is read by pydicom and held against the counts that were recorded: no sample and no microvolt differs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from acquisitions import an_exam, settings_of
from dcmtk import dcmqrscp, storescp
from orthanc import PLUGINS, Orthanc, orthanc
from pydicom.waveforms import multiplex_array
from waveforms import CASES, Case, group, noise

from gateway import fsops
from gateway.destination import Destination
from gateway.dicom.iods import BY_KEY
from gateway.dicom.wrap import wrap
from gateway.model import InstanceRef, Kind
from gateway.settings import Box
from gateway.sop_classes import BY_KIND, WRITTEN
from gateway.transfer.calling import peers
from gateway.transfer.delivering.transports import transport

_ECG = Case(
    Kind.ECG,
    (group(500.0, ("I", "II", "V1", "V5"), "uV", 2.5, low_cut=0.05, high_cut=150.0),),
    (noise(2000, 4, 32_767),),
    {"derive_leads": False},
)
EVERY = dict.fromkeys(BY_KIND[Kind.ECG].every, _ECG) | CASES
C_STORE, STOW = "C-STORE", "STOW-RS"
# What a peer may refuse, since it does not know it: Orthanc 1.10 (which takes it by STOW-RS), DCMTK's archive
UNKNOWN = {C_STORE: {"general-32"}, "dcmqrscp": {"general-32"}}


@dataclass(frozen=True)
class Sent:
    """What was sent of each class, and how the peers answered: by class, way and peer."""

    made: dict[str, InstanceRef]
    answers: dict[tuple[str, str], str]
    orthanc: Orthanc
    folders: dict[str, Path]


def _sent(to: Destination, one: InstanceRef) -> str:
    by = transport(bool(to.url))
    ((_, outcome),) = by.send(peers.destination(Box(), to), [one], None)
    return outcome.kind


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    plugins = [PLUGINS / "libModalityWorklists.so", PLUGINS / "libOrthancDicomWeb.so"]
    if not plugins[1].exists():
        pytest.skip(f"{plugins[1]} is not installed")
    folder = tmp_path_factory.mktemp("waveforms")
    out, made = fsops.make_folder(folder / "out"), {}
    for key, case in EVERY.items():
        acquisition = case.recording().folder(folder / key)
        (made[key],) = wrap(acquisition, an_exam(), settings_of(folder, **case.device), out, key)
    with contextlib.ExitStack() as running:
        enter = running.enter_context
        peer = enter(orthanc(folder / "orthanc", Plugins=[str(p) for p in plugins], DicomWeb={"Enable": True}))
        archive, taker = enter(dcmqrscp(folder / "archive")), enter(storescp(folder / "taker", "-pm"))
        ways = {
            C_STORE: Destination(name="orthanc", ae_title=peer.ae_title, host="127.0.0.1", port=peer.port),
            "dcmqrscp": Destination(name="archive", ae_title="QRSCP", host="127.0.0.1", port=archive),
            "storescp": Destination(name="taker", ae_title="ANY-SCP", host="127.0.0.1", port=taker),
        }
        answers = {(key, way): _sent(to, one) for key, one in made.items() for way, to in ways.items()}
        web = Destination(name="web", url=f"http://127.0.0.1:{peer.http}/dicom-web", plain_http=True)
        answers |= {
            (key, STOW): _sent(web, made[key])
            for (key, way), kind in answers.items()
            if way == C_STORE and kind != "done"
        }
        folders = {"dcmqrscp": folder / "archive" / "QRSCP", "storescp": folder / "taker"}
        yield Sent(made, answers, peer, folders)


def same(path: Path, case: Case) -> None:
    """Sample for sample what was counted, and in its unit what that means."""
    head = pydicom.dcmread(path)
    for number, counts in enumerate(case.counts):
        offset = 128 if head.SOPClassUID == WRITTEN["voice"] else 0
        assert np.array_equal(multiplex_array(head, number, as_raw=True), counts + offset)
        values = multiplex_array(head, number, as_raw=False)
        for n, channel in enumerate(case.groups[number].channels):
            if channel.unit:
                assert np.allclose(values[:, n], counts[:, n] * channel.sensitivity + channel.baseline, rtol=1e-12)


@pytest.mark.parametrize("key", EVERY)
def test_orthanc_gives_back_every_sample(sent: Sent, key: str, tmp_path: Path) -> None:
    one = sent.made[key]
    assert sent.answers[key, C_STORE] == "done" or key in UNKNOWN[C_STORE]
    assert sent.answers.get((key, STOW), "done") == "done"
    path = tmp_path / "back.dcm"
    path.write_bytes(sent.orthanc.bytes(f"/instances/{sent.orthanc.instances()[one.sop_instance_uid]}/file"))
    same(path, EVERY[key])
    assert pydicom.dcmread(path).to_json_dict() == pydicom.dcmread(one.path).to_json_dict()


@pytest.mark.parametrize(
    ("peer", "key"),
    [(peer, key) for peer in ("dcmqrscp", "storescp") for key in EVERY if key not in UNKNOWN.get(peer, ())],
)
def test_dcmtk_gives_back_every_sample(sent: Sent, peer: str, key: str) -> None:
    assert sent.answers[key, peer] == "done"
    uid = sent.made[key].sop_instance_uid
    files = [path for path in sent.folders[peer].iterdir() if path.name != "index.dat"]
    (found,) = [path for path in files if pydicom.dcmread(path).SOPInstanceUID == uid]
    same(found, EVERY[key])


def test_every_class_that_the_box_writes_was_there_and_back() -> None:
    assert set(EVERY) == {key for key in WRITTEN if BY_KEY[key].limits is not None}
