"""Names below DATA/instances, and what one stored file says of itself.

Each wrapping of an acquisition has a folder of its own, which appears by one rename with all its instances::

    instances/ACQ/UID.dcm               as configured for the device
    instances/ACQ~IOD/UID.dcm           wrapped again as IOD, because a destination refused the class
    instances/.../SHA256SUMS            what each of them was when it was written (for sha256sum -c)
    instances/.../UID.deliveries.json   that a delivery of it is held or waived, and why (spool.marks)
    instances/.NAME.wrapping/           not finished: nobody was offered it, so it may be swept
    instances/import-.../UID.dcm        brought back by a medium (spool.imports); of no acquisition of this box
    instances/.import-.../              on its way there
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from gateway import fsops
from gateway.errors import Held
from gateway.places import Places
from gateway.spool import marks
from gateway.spool.marks import Mark

log = logging.getLogger(__name__)
SUFFIX = ".dcm"
SUMS = "SHA256SUMS"
_SUM = re.compile(rf"([0-9a-f]{{64}})  ([0-9.]{{1,64}}){re.escape(SUFFIX)}")
_WRAPPING = ".wrapping"
_IMPORT = "import-"
_BLOCK = 1 << 20  # bytes
Coded = tuple[str, str]  # Code Value, Coding Scheme Designator
_CODES = ("ProcedureCodeSequence", "PerformedProtocolCodeSequence")  # requested, and scheduled (dicom.mapping)
_LARGEST_VALUE = 1 << 16  # bytes of a value that is read here; a document of 300 MB is not


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
    marks: Mapping[str, Mark] = field(default_factory=dict)  # by destination; what lies beside it
    codes: frozenset[Coded] = frozenset()  # of its requested procedure and its scheduled protocol


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


def is_import(folder_name: str) -> bool:
    """Whether what lies in this folder came from a medium. No acquisition is called so: its name begins with a date."""
    return folder_name.startswith(_IMPORT)


def import_name(wall: float) -> str:
    """A name for all that one command brings back; its instances' folders begin with it."""
    return f"{_IMPORT}{time.strftime('%Y%m%dT%H%M%S', time.gmtime(wall))}-{secrets.token_hex(4)}"


def files(folder: Path) -> Iterator[Path]:
    """The instances in one folder, in a fixed order."""
    return iter(sorted(folder.glob(f"*{SUFFIX}")))


def describe(here: Places, path: Path) -> Described:
    """Read identity and series from a file's header; the bulk is not read. Raises Held for what is no instance."""
    try:
        with path.open("rb") as stream:
            header = read_partial(stream, stop_when=_is_bulk, defer_size=_LARGEST_VALUE)
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
            marks=marks.of(path),
            codes=frozenset(_codes(header)),
        )
    except (InvalidDicomError, AttributeError, ValueError, TypeError, EOFError) as error:
        raise Held(f"{path} is no readable instance ({error})", "compare it with a backup; it is not sent") from error


def _codes(header: Dataset) -> Iterator[Coded]:
    for item in (item for keyword in _CODES for item in header.get(keyword) or ()):
        if value := str(item.get("CodeValue", "")):
            yield value, str(item.get("CodingSchemeDesignator", ""))


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


def write_sums(folder: Path, progress: Callable[[], None] = lambda: None) -> None:
    """Keep the hash of every instance beside it, durably: a lost ledger must not make a damaged file a good one."""
    lines = [f"{sha256(path, progress)}  {path.name}\n" for path in files(folder)]
    fsops.write_file(folder / SUMS, "".join(lines).encode())


def read_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by instance UID, as far as it was kept: folders of older versions have none."""
    try:
        text = (folder / SUMS).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return {}
    found = [_SUM.fullmatch(line) for line in text.splitlines()]
    if not all(found):
        log.warning("%s is damaged: what it does not tell is hashed anew; check the disk", folder / SUMS)
    return {match[2]: match[1] for match in found if match}
