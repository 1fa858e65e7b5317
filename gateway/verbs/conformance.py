"""``gateway conformance``: what this box speaks (PS3.2), printed from the tables that it runs by."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from gateway import __version__
from gateway.dicom import iods, mapping, rejection
from gateway.dicom.frames import syntaxes
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.sop_classes import WRITTEN
from gateway.transfer import names
from gateway.transfer.names import CLASSES

_WRITTEN = "1.2.840.10008.1.2.1 Explicit VR Little Endian"
_STILLS = (_WRITTEN, *(f"{uid} {names.syntax(uid)}" for uid in (f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 80))))
_CLIPS = tuple(f"{uid} {names.syntax(uid)}" for row in syntaxes.ROWS for uid in (row.whole, row.fragmentable))
_FALL_BACK = (
    "Each class is proposed in the transfer syntax of the instances, and beside it, each in a context of its own, in "
    "Explicit and Implicit VR Little Endian wherever they can be brought into these without loss (from each other, "
    "Deflated, Big Endian, RLE and other lossless coding of pixels). An instance whose transfer syntax is refused goes "
    "in the one that is taken, with the same SOP Instance UID. There are at most 128: of those beside, Explicit "
    "VR is left out first."
)
_OTHER_ROLES = (
    ("SCU", "Modality Worklist: broad (date, modality, station) and patient-based queries (RAD-5)"),
    ("SCU", "Modality Performed Procedure Step: N-CREATE, N-SET (RAD-6, RAD-7); group case; PPS exception management"),
    ("SCU", "Storage Commitment Push Model: N-ACTION; N-EVENT-REPORT on the same or a new association (RAD-10)"),
    ("SCU and SCP", "Verification"),
    (
        "user agent",
        "DICOMweb (PS3.18): STOW-RS (10.5), storage commitment (13), QIDO-RS (10.6) and WADO-RS (10.4) to verify it",
    ),
    ("FSC, FSU", "Removable media: file-set with DICOMDIR, Explicit VR Little Endian (PS3.10, PS3.11)"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:  # noqa: ARG001  every verb takes them
    print("\n".join(_statement()))
    return 0


def _statement() -> Iterator[str]:
    yield f"# Conformance of the modality gateway {__version__}"
    yield ""
    yield "Printed from the program's own tables. A full statement in the form of PS3.2 is still to be written."
    yield ""
    yield f"Implementation Class UID {IMPLEMENTATION_CLASS_UID}, version name {IMPLEMENTATION_VERSION}."
    yield ""
    yield "## Instances it creates and stores (C-STORE SCU)"
    yield ""
    yield from textwrap.wrap(_FALL_BACK, 120)
    yield ""
    yield "| SOP class | UID | section of PS3.3 | transfer syntax |"
    yield "|---|---|---|---|"
    for iod in iods.TABLE.values():
        yield f"| {iod.label} | {iod.sop_class_uid} | {iod.section} | {_WRITTEN} |"
    for iod in (row for key, row in iods.BY_KEY.items() if key in WRITTEN and row.pictures is not None):
        coded = (*_STILLS, *(_CLIPS if iod.pictures is not None and iod.pictures.frames else ()))
        yield f"| {iod.label} | {iod.sop_class_uid} | {iod.section} | {'; '.join(coded)} |"
    note = "A.35.4 (a rejection note, IHE IOCM: what was stored under a wrong patient is withdrawn)"
    yield f"| Key Object Selection Document | {rejection.SOP_CLASS} | {note} | {_WRITTEN} |"
    yield ""
    yield "## Other roles"
    yield ""
    for role, words in _OTHER_ROLES:
        yield f"- {role}: {words}"
    yield f"- `gateway echo` proposes: {', '.join(CLASSES.values())}"
    yield ""
    yield "## Where the header comes from"
    yield ""
    yield "| worklist | instance | MPPS (type) |"
    yield "|---|---|---|"
    for row in mapping.TABLE:
        mpps = ", ".join(f"{path} ({kind})" for path, kind in row.mpps)
        yield f"| {row.worklist} | {', '.join(row.instance) or '-'} | {mpps or '-'} |"
    yield ""
    yield "Values that need more than ASCII leave the box in ISO_IR 192 (UTF-8), whatever the RIS used."
