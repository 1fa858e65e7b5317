"""C-STORE straight from the file: what arrives at real peers is what lies on the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dcmtk import storescp
from ecg_files import GENERAL_32
from orthanc import Orthanc
from pydicom import dcmread

from gateway.model import InstanceRef
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store
from gateway.trial.hospital import Hospital

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]


def data_set(path: Path) -> bytes:
    """All of the data set, without the header, which is the receiver's own."""
    return path.read_bytes()[dcmread_offset(path) :]


def dcmread_offset(path: Path) -> int:
    header = dcmread(path, stop_before_pixels=True).file_meta
    return 128 + 4 + 12 + int(header.FileMetaInformationGroupLength)


def test_instances_arrive_in_the_hospital_byte_for_byte(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    instances = [ecg(samples) for samples in (1, 500, 5000, 60_000)]
    with Hospital(tmp_path / "hospital") as hospital:
        outcomes = list(store.send(call(hospital.port), instances))
    assert [(i, o.kind, o.code) for i, o in outcomes] == [(i, "done", "0000") for i in instances]
    for instance in instances:
        assert data_set(hospital.file(instance.sop_instance_uid)) == data_set(Path(instance.path))


def test_an_instance_sent_twice_is_there_once(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    instance = ecg()
    with Hospital(tmp_path / "hospital") as hospital:
        assert all(o.good for _, o in store.send(call(hospital.port), [instance, instance]))
        assert hospital.stored[instance.sop_instance_uid] == 2
        assert len(hospital.files()) == 1


def test_instances_arrive_in_dcmtk_byte_for_byte(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    instances = [ecg(5000) for _ in range(10)]
    with storescp(tmp_path / "store", "--bit-preserving") as port:
        assert all(o.kind == "done" for _, o in store.send(call(port), instances))
    arrived = {str(dcmread(p).SOPInstanceUID): p for p in (tmp_path / "store").iterdir()}
    assert set(arrived) == {i.sop_instance_uid for i in instances}
    for instance in instances:
        assert data_set(arrived[instance.sop_instance_uid]) == data_set(Path(instance.path))


@pytest.mark.parametrize("max_pdu", ["4096", "131072"])
def test_the_peer_decides_how_long_a_pdu_may_be(tmp_path: Path, ecg: Ecg, call: Call, max_pdu: str) -> None:
    with storescp(tmp_path / "store", "--max-pdu", max_pdu) as port:
        assert all(o.kind == "done" for _, o in store.send(call(port), [ecg(50_000)]))


def test_a_class_that_a_plain_storescp_refuses_is_held_and_the_others_go_on(
    tmp_path: Path, ecg: Ecg, call: Call
) -> None:
    instances = [ecg(), ecg(sop_class_uid=GENERAL_32), ecg()]
    with storescp(tmp_path / "store") as port:
        outcomes = [o for _, o in store.send(call(port), instances)]
    assert [(o.kind, o.code) for o in outcomes] == [("done", "0000"), ("hold", "class-refused"), ("done", "0000")]
    assert "does not take General 32-bit ECG (1.2.840.10008.5.1.4.1.1.9.1.4, Explicit VR Little" in outcomes[1].words


def test_a_storescp_that_takes_everything_takes_32_bit_ecg(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    with storescp(tmp_path / "store", "-pm") as port:
        assert [o.kind for _, o in store.send(call(port), [ecg(sop_class_uid=GENERAL_32)])] == ["done"]


def test_orthanc_gives_back_the_waveform_it_was_sent(tmp_path: Path, ecg: Ecg, call: Call, pacs: Orthanc) -> None:
    instances = [ecg(5000), ecg(sop_class_uid=GENERAL_32)]
    outcomes = [o for _, o in store.send(call(pacs.port, pacs.ae_title), instances)]
    raw = pacs.bytes(f"/instances/{pacs.instances()[instances[0].sop_instance_uid]}/file")
    assert [(o.kind, o.code) for o in outcomes] == [("done", "0000"), ("hold", "class-refused")]
    (tmp_path / "back.dcm").write_bytes(raw)
    back, sent = dcmread(tmp_path / "back.dcm"), dcmread(instances[0].path)
    assert back.WaveformSequence[0].WaveformData == sent.WaveformSequence[0].WaveformData


def test_a_file_that_is_gone_or_another_is_held_and_the_others_go_on(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    gone, swapped, whole = ecg(), ecg(), ecg()
    Path(gone.path).unlink()
    Path(swapped.path).write_bytes(Path(whole.path).read_bytes())
    with Hospital(tmp_path / "hospital") as hospital:
        outcomes = [o for _, o in store.send(call(hospital.port), [gone, swapped, whole])]
    assert [(o.kind, o.code) for o in outcomes[:2]] == [("hold", "file-unreadable")] * 2
    assert "No such file" in outcomes[0].words and "another instance" in outcomes[1].words
    assert outcomes[2].kind == "done"


def test_progress_tells_of_every_block(tmp_path: Path, ecg: Ecg, call: Call) -> None:
    instance, heard = ecg(60_000), list[int]()
    with Hospital(tmp_path / "hospital") as hospital:
        list(store.send(call(hospital.port), [instance], lambda one, sent: heard.append(sent)))
    assert len(heard) > 3 and heard == sorted(heard)
    assert heard[-1] == len(data_set(Path(instance.path)))


def test_the_sender_loads_neither_pydicom_nor_pynetdicom_nor_numpy() -> None:
    code = (
        "import sys; import gateway.cli, gateway.verbs.send, gateway.verbs.echo\n"
        "import gateway.transfer.storing.associations\n"
        "print(sorted({'pydicom', 'pynetdicom', 'numpy', 'sqlite3', 'ssl', 'asyncio'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_large_object_is_sent_in_constant_memory(tmp_path: Path, ecg: Ecg) -> None:
    small = ecg(1)
    large = tmp_path / "large.dcm"
    large.write_bytes(Path(small.path).read_bytes() + b"\xfc\xff\xfc\xffOB\x00\x00" + (64 << 20).to_bytes(4, "little"))
    with large.open("r+b") as stream:  # a hole: the disk is not what is tested
        stream.truncate(large.stat().st_size + (64 << 20))
    code = (
        "import sys; from pathlib import Path\n"
        "from gateway.transfer import part10\n"
        "from gateway.transfer.storing import store\n"
        "from gateway.transfer.calling.peers import Peer; "
        "peer = Peer('pacs', 'PACS', '127.0.0.1', int(sys.argv[1]), 'GATEWAY'); "
        "[(_, outcome)] = store.send(peer, [part10.instance(Path(sys.argv[2]))]); "
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]; "
        "print(outcome.kind, int(peak) // 1024)"
    )
    with storescp(tmp_path / "store", "--ignore") as port:
        command = [sys.executable, "-c", code, str(port), str(large)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == "done"
    assert int(said[1]) < 32, f"{said[1]} MiB resident at most"
