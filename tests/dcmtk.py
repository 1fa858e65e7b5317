"""DCMTK's servers as peers."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from peers import need, running
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset

from gateway.trial.ports import free_port


@contextlib.contextmanager
def storescp(folder: Path, *options: str, nodelay: bool = True) -> Iterator[int]:
    """Stores into ``folder``; gives its port. It takes any called AE title."""
    program, port = need("storescp"), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [program, *options, "--output-directory", str(folder), str(port)]
    with running(command, port, folder.parent / f"storescp-{port}.log", nodelay):
        yield port


def only(folder: Path, transfer_syntax: str, *classes: str) -> tuple[str, ...]:
    """Options of storescp: it takes these classes (UIDs) in this transfer syntax (DCMTK's name), and nothing else."""
    path = folder / f"{transfer_syntax}.cfg"
    contexts = "".join(f"PresentationContext{n} = {uid}\\Only\n" for n, uid in enumerate(classes, 1))
    path.write_text(
        f"[[TransferSyntaxes]]\n[Only]\nTransferSyntax1 = {transfer_syntax}\n"
        f"[[PresentationContexts]]\n[Taken]\n{contexts}"
        "[[Profiles]]\n[Default]\nPresentationContexts = Taken\n"
    )
    return "-xf", str(path), "Default"


@contextlib.contextmanager
def dcmqrscp(folder: Path, *options: str, ae_title: str = "QRSCP") -> Iterator[int]:
    """DCMTK's image archive; stores into ``folder`` / its title; gives its port."""
    program, port = need("dcmqrscp"), free_port()
    (folder / ae_title).mkdir(parents=True)
    config = folder / "dcmqrscp.cfg"
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{ae_title} {folder / ae_title} RW (100, 1024mb) ANY\nAETable END\n"
    )
    with running([program, *options, "-c", str(config), str(port)], port, folder / f"dcmqrscp-{port}.log"):
        yield port


@contextlib.contextmanager
def worklist(
    folder: Path, items: Sequence[Dataset], ae_title: str = "RIS", keep_character_set: bool = True
) -> Iterator[int]:
    """``wlmscpfs`` with ``items`` as worklist files, each through dump2dcm; gives its port.

    By default it leaves out which character set its answers are in, as some real RIS do.
    """
    program, port = need("wlmscpfs"), free_port()
    files = folder / ae_title
    files.mkdir(parents=True)
    (files / "lockfile").touch()
    for number, item in enumerate(items):
        worklist_file(files / f"item{number}.wl", item)
    options = ["--keep-char-set"] if keep_character_set else []
    command = [program, *options, "--data-files-path", str(folder), str(port)]
    with running(command, port, folder.parent / f"wlmscpfs-{port}.log"):
        yield port


def worklist_file(path: Path, item: Dataset) -> None:
    """A worklist file as DCMTK and Orthanc want it: a Part 10 file, dumped and built again by their own tools."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    whole = Dataset(item)
    whole.file_meta = meta
    raw, text = path.with_suffix(".raw"), path.with_suffix(".dump")
    whole.save_as(raw, enforce_file_format=True)
    text.write_bytes(subprocess.run([need("dcmdump"), "-q", "+L", str(raw)], check=True, capture_output=True).stdout)
    subprocess.run([need("dump2dcm"), "-q", "+te", str(text), str(path)], check=True, capture_output=True)
    raw.unlink()
    text.unlink()
    assert dcmread(path).PatientID == item.PatientID
