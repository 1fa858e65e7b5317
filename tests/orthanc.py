"""Orthanc as RIS and PACS: worklist plug-in, storage, storage commitment."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dcmtk import worklist_file
from peers import need, running
from pydicom import Dataset

from gateway.trial.ports import free_port

PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass(frozen=True)
class Orthanc:
    """``port`` speaks DICOM, ``http`` the REST interface, both on 127.0.0.1."""

    ae_title: str
    port: int
    http: int

    def get(self, path: str) -> Any:
        return json.loads(self.bytes(path))

    def bytes(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def instances(self) -> dict[str, str]:
        """Orthanc's own identifier of each instance, by SOP Instance UID."""
        found = (self.get(f"/instances/{i}") for i in self.get("/instances"))
        return {i["MainDicomTags"]["SOPInstanceUID"]: i["ID"] for i in found}


@contextlib.contextmanager
def orthanc(
    folder: Path,
    box_ae_title: str = "GATEWAY",
    box_port: int = 0,
    worklist: Sequence[Dataset] = (),
    nodelay: bool = True,
    **further: Any,
) -> Iterator[Orthanc]:
    """``box_port`` is where our listener waits for the commitment report; ``further`` keys of Orthanc's own."""
    program = need("Orthanc")
    plugin = PLUGINS / "libModalityWorklists.so"
    if not plugin.exists():
        pytest.skip(f"{plugin} is not installed")
    peer = Orthanc("ORTHANC", free_port(), free_port())
    items = folder / "worklist"
    items.mkdir(parents=True)
    for number, item in enumerate(worklist):
        worklist_file(items / f"item{number}.wl", item)
    config = {
        "Name": "tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": peer.ae_title,
        "DicomPort": peer.port,
        "DicomCheckCalledAet": True,
        "HttpPort": peer.http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpBindAddresses": ["127.0.0.1"],
        "DicomModalities": {
            "box": {"AET": box_ae_title, "Host": "127.0.0.1", "Port": box_port or 1, "AllowStorageCommitment": True}
        },
        "DicomAlwaysAllowFindWorklist": True,
        "Plugins": [str(plugin)],
        "Worklists": {"Enable": True, "Database": str(items), "FilterIssuerAet": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(config | further))
    command = [program, str(folder / "orthanc.json")]
    with running(command, peer.port, folder / "orthanc.log", nodelay, at_once=True):
        yield peer
