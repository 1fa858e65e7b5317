"""A document as it came, in an Encapsulated PDF instance (PS3.3 A.45.1, C.24); at most as long as one record."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from gateway import records
from gateway.dicom import encode, mapping
from gateway.dicom.frames import pixel_file
from gateway.dicom.frames.pixel_file import Steady
from gateway.dicom.header import begun, common, local
from gateway.dicom.iods import BY_KEY
from gateway.dicom.parts import Part
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Exam, Facts, InstanceRef
from gateway.profile import Profile
from gateway.settings import Box

_DOCUMENT = 0x00420011
_HEAD = struct.pack("<HH2sH", 0x0042, 0x0011, b"OB", 0)
_BEGINS = b"%PDF-"


def wrap(
    path: Path, facts: Facts, exam: Exam, profile: Profile, box: Box, out: Path, beat: Callable[[], None]
) -> tuple[InstanceRef, ...]:
    """Write the instance, durably. Raises Held, in words, if the records do not hold exactly one PDF document."""
    found = [event.data for event in records.events(path) if isinstance(event, Frame)]
    if len(found) != 1 or not found[0].startswith(_BEGINS):
        raise Held(f"acquisition {facts.acquisition} does not hold one PDF document", "it is kept as it is")
    data = found[0]
    iod = BY_KEY["pdf"]
    head = common(facts, exam, iod, Part(1, 1, 0, ((0, 1),)), box)
    begun(head, local(facts.started))
    head.pop("OperatorsName", None)  # in no module of this class
    head.ConversionType = "WSD"  # Workstation: some program made it
    head.BurnedInAnnotation = {"no": "NO"}.get(profile.burned_in, "YES")  # reports name their patient
    head.DocumentTitle = head.SeriesDescription
    head.ConceptNameCodeSequence = []
    head.MIMETypeOfEncapsulatedDocument = iod.document
    head.EncapsulatedDocumentLength = len(data)
    mapping.declare_character_set(head)
    before, behind = Dataset(), Dataset()
    for element in head:
        (before if element.tag < _DOCUMENT else behind).add(element)
    tail = encode.encoded(behind, head.get("SpecificCharacterSet", "ISO_IR 192"))

    def body(file: Steady) -> None:
        file.write(_HEAD + struct.pack("<I", len(data) + len(data) % 2))
        file.write(data)
        file.write(bytes(len(data) % 2) + tail)
        beat()

    uid = str(head.SOPInstanceUID)
    target = out / f"{uid}.dcm"
    size = pixel_file.write(target, before, str(ExplicitVRLittleEndian), body)
    return (InstanceRef(iod.sop_class_uid, uid, str(ExplicitVRLittleEndian), str(target), size),)
