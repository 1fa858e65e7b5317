"""Names below DATA/instances, and what one stored file says of itself.

Each wrapping of an acquisition has a folder of its own, which appears by one rename with all its instances::

    instances/ACQ/UID.dcm               as configured for the device
    instances/ACQ~IOD/UID.dcm           wrapped again as IOD, because a destination refused the class
    instances/.NAME.wrapping/           not finished: nobody was offered it, so it may be swept
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from gateway.errors import Held
from gateway.places import Places

SUFFIX = ".dcm"
_WRAPPING = ".wrapping"
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Described:
    """What the spool must know of a stored file, read from its own header."""

    uid: str
    sop_class: str
    syntax: str
    path: str  # relative to the data folder
    size: int  # bytes
    series_uid: str
    series_description: str
    protocol_name: str
    modality: str


def folder(here: Places, acquisition: str, iod: str | None = None) -> Path:
    """Where the instances of a wrapping lie; ``iod`` names a further wrapping."""
    return here.instances / (acquisition if iod is None else f"{acquisition}~{iod}")


def unfinished(final: Path) -> Path:
    """Where a wrapping is written before it is complete."""
    return final.parent / f".{final.name}{_WRAPPING}"


def is_unfinished(name: str) -> bool:
    return name.startswith(".") and name.endswith(_WRAPPING)


def acquisition_of(folder_name: str) -> str:
    return folder_name.partition("~")[0]


def files(folder: Path) -> Iterator[Path]:
    """The instances in one folder, in a fixed order."""
    return iter(sorted(folder.glob(f"*{SUFFIX}")))


def describe(here: Places, path: Path) -> Described:
    """Read identity and series from a file's header; the bulk is not read. Raises Held for what is no instance."""
    try:
        with path.open("rb") as stream:
            header = read_partial(stream, stop_when=_is_bulk)
        return Described(
            uid=str(header.SOPInstanceUID),
            sop_class=str(header.SOPClassUID),
            syntax=str(header.file_meta.TransferSyntaxUID),
            path=str(path.relative_to(here.data)),
            size=path.stat().st_size,
            series_uid=str(header.get("SeriesInstanceUID", "")),
            series_description=str(header.get("SeriesDescription", "")),
            protocol_name=str(header.get("ProtocolName", "")),
            modality=str(header.get("Modality", "")),
        )
    except (InvalidDicomError, AttributeError, ValueError, EOFError) as error:
        raise Held(f"{path} is no readable instance ({error})", "compare it with a backup; it is not sent") from error


def _is_bulk(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    """Waveform Sequence and all behind it: sequences of unknown length would be read whole."""
    return int(tag) >= 0x54000100


def sha256(path: Path, progress: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a file's bytes, hexadecimal; ``progress`` is called after each block."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            progress()
    return digest.hexdigest()
