"""Clean data sets of every class that the check knows, made from the tables and a few facts of each IOD.

They are the healthy specimens into which faults are sown; nothing of the gateway's writer is in them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from gateway.dicom import groups, modules
from gateway.dicom.conditions import Chain
from gateway.dicom.definition import BYTES, Iod, Pictures
from gateway.dicom.module_rules import BULK
from gateway.dicom.modules import Attribute

VALUES: dict[str, Any] = {
    "AE": "AET", "AS": "040Y", "AT": 0x00100010, "CS": "CODE", "DA": "20260101", "DS": "1", "DT": "20260101120000",
    "FD": 1.0, "FL": 1.0, "IS": "1", "LO": "text", "LT": "text", "OB": b"\0\0", "OW": b"\0\0", "OD": b"\0" * 8,
    "OF": b"\0" * 4, "OV": b"\0" * 8, "OL": b"\0" * 4,
    "PN": "Doe^Jane", "SH": "text", "SL": 1, "SS": 1, "ST": "text", "TM": "120000", "UC": "text",
    "UI": "1.2.3", "UL": 1, "UN": b"\0\0", "UR": "urn:a", "US": 1, "UT": "text", "SV": 1, "UV": 1,
}  # fmt: skip
OWN: dict[str, Any] = {
    "FrameIncrementPointer": 0x00181063,
    "MIMETypeOfEncapsulatedDocument": "application/pdf",
    "PatientOrientation": ["L", "P"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "LUTDescriptor": [1, 0, 16],
    "RedPaletteColorLookupTableDescriptor": [1, 0, 16],
    "GreenPaletteColorLookupTableDescriptor": [1, 0, 16],
    "BluePaletteColorLookupTableDescriptor": [1, 0, 16],
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "CodeValue": "1",
    "CodingSchemeDesignator": "DCM",
    "TimezoneOffsetFromUTC": "+0000",
    "SpecificCharacterSet": "ISO_IR 192",
    "LongCodeValue": "1234567890.1234567",
    "Laterality": "L",
}
_SAMPLES = 10


def kind(tag: int) -> str:
    """The VR to write an attribute in, where the dictionary gives several."""
    return dictionary_VR(tag).split(" or ")[0]


def value(row: Attribute) -> Any:
    """Something that the row allows; a sequence gets one filled item."""
    vr = kind(row.tag)
    if vr == "SQ":
        return Sequence([filled(row.rows, code_of(row))])
    lists = dict(row.enumerated) | dict(row.terms)
    if 0 in lists:
        return int(lists[0][0]) if vr in ("US", "UL") else lists[0][0]
    if row.keyword in OWN:
        return copy.copy(OWN[row.keyword])
    if lists:
        return [lists[number][0] for number in sorted(lists)]
    least = int(dictionary_VM(row.tag).partition("-")[0])
    return VALUES[vr] if least == 1 else [VALUES[vr]] * least


def code_of(row: Attribute) -> tuple[str, str] | None:
    """A member of the row's context group."""
    if row.group is None:
        return None
    return ("UCUM", "uV") if row.group.cid == groups.UNITS else min(groups.codes(row.group.cid))


def filled(rows: Iterable[Attribute], code: tuple[str, str] | None = None) -> Dataset:
    """An item with what type 1, 2 and the decidable conditions demand."""
    item = Dataset()
    listed = list(rows)
    for row in listed:
        if row.type in ("1", "2"):
            put(item, row, value(row) if row.type == "1" else None)
    for row in listed:
        if row.needed is not None and row.tag not in item and row.needed.holds((Dataset(), item)):
            put(item, row, value(row))
    if code is not None:
        item.CodingSchemeDesignator, item.CodeValue = code
    return item


def put(item: Dataset, row: Attribute, what: Any) -> None:
    vr = kind(row.tag)
    item.add_new(row.tag, vr, Sequence() if what is None and vr == "SQ" else what)


def coded(scheme: str, code: str, meaning: str = "meaning") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, meaning
    return item


def specimen(iod: Iod) -> FileDataset:
    """A small instance of a class, with its mandatory modules and nothing else."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, "1.2.826.0.1.3680043.8.498.1"
    head = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    for use in iod.modules:
        if use.usage == "M" or use.condition is not None:
            fill_module(head, use.module)
    head.SOPClassUID = meta.MediaStorageSOPClassUID = iod.sop_class_uid
    head.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
    head.StudyInstanceUID, head.SeriesInstanceUID = generate_uid(), generate_uid()
    head.PatientID, head.StudyID, head.SeriesNumber = "P-1", "S-1", 1
    head.StudyDate, head.StudyTime = "20260101", "120000"
    head.Modality = iod.modality.partition("|")[0] or "OT"
    if iod.limits is not None:
        if "AcquisitionTimeSynchronized" in head:
            head.AcquisitionTimeSynchronized = "N"  # Y would ask for an offset in each group
        head.WaveformSequence = Sequence([multiplex_group(iod)])
    if iod.pictures is not None:
        draw(head, iod.pictures)
    if iod.document:
        head.EncapsulatedDocument, head.EncapsulatedDocumentLength = b"%PDF-1.7 ", 9
    settle(head, iod)
    return head


def settle(head: Dataset, iod: Iod, module: str = "", but: tuple[int, Dataset | None] = (0, None)) -> None:
    """Give everything what its rows demand now, and take what they forbid; leave alone an item's attribute ``but``.

    Of the optional modules only ``module`` and those that are used.
    """
    everywhere = frozenset().union(*(modules.module(use.module).tags for use in iod.modules if use.usage == "M"))
    for _ in range(3):  # one thing may ask for another
        for use in iod.modules:
            table = modules.module(use.module)
            if use.usage == "M" or use.module == module or not head.keys().isdisjoint(table.tags - everywhere):
                _settle(table.rows, (head,), but)


def _settle(listed: tuple[Attribute, ...], chain: Chain, but: tuple[int, Dataset | None]) -> None:
    item = chain[-1]
    for row in listed:
        if row.tag in BULK:
            continue
        if not (row.tag == but[0] and item is but[1]):
            if row.tag in item and row.allowed is not None and not row.allowed.holds(chain):
                item.pop(row.tag)
            needed = row.type in ("1", "2") or (row.needed is not None and row.needed.holds(chain))
            if needed and (row.tag not in item or (row.type[0] == "1" and item[row.tag].is_empty)):
                put(item, row, None if row.type[0] == "2" else value(row))
        if row.tag in item and item[row.tag].VR == "SQ":
            for inner in item[row.tag].value:
                _settle(row.rows, (*chain, inner), but)


def draw(head: Dataset, pictures: Pictures) -> None:
    """Two native frames, or one, of two by two pixels."""
    gray = (pictures.photometric or ("RGB",))[0] == "MONOCHROME2"
    bits, frames = (pictures.bits or (8,))[0], 2 if pictures.frames else 1
    head.SamplesPerPixel, head.PhotometricInterpretation = (1, "MONOCHROME2") if gray else (3, "RGB")
    if not gray:
        head.PlanarConfiguration = 0
    head.Rows, head.Columns, head.PixelRepresentation = 2, 2, 0
    head.BitsAllocated, head.BitsStored, head.HighBit = bits, bits, bits - 1
    if pictures.frames:
        head.NumberOfFrames, head.FrameIncrementPointer, head.FrameTime = frames, 0x00181063, "40"
    if pictures.photometric == ("MONOCHROME2",) and bits > 1:
        head.PresentationLUTShape, head.RescaleIntercept, head.RescaleSlope = "IDENTITY", "0", "1"
        head.RescaleType = "US"
    for color in ("Red", "Green", "Blue"):
        for part in ("Descriptor", "Data"):
            head.pop(f"{color}PaletteColorLookupTable{part}", None)
    head.LossyImageCompression = "00"
    head.PatientOrientation = None
    size = (4 * head.SamplesPerPixel * bits * frames + 7) // 8
    head.add_new("PixelData", "OW" if bits > 8 else "OB", bytes(size + size % 2))


def fill_module(head: Dataset, name: str) -> None:
    """What a module demands, where it is not there yet."""
    for element in filled(modules.module(name).rows):
        if element.tag not in head or head[element.tag].is_empty:
            head[element.tag] = element


def multiplex_group(iod: Iod) -> Dataset:
    limits = iod.waveform
    count = limits.counts[0] if limits.counts else limits.channels[0]
    kind = limits.interpretations[0]
    item = Dataset()
    item.WaveformOriginality = "ORIGINAL"
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = count, _SAMPLES
    item.SamplingFrequency = limits.rate[1] if limits.rate else 250
    item.ChannelDefinitionSequence = Sequence([channel(iod) for _ in range(count)])
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = BYTES[kind] * 8, kind
    data = bytes(count * _SAMPLES * BYTES[kind])
    item.add_new("WaveformData", "OB" if BYTES[kind] == 1 else "OW", data + bytes(len(data) % 2))
    return item


def channel(iod: Iod) -> Dataset:
    limits = iod.waveform
    item = Dataset()
    source = min(groups.codes(limits.sources[0])) if limits.sources else ("DCM", "109110")
    item.ChannelSourceSequence = Sequence([coded(*source)])
    if limits.referenced:
        item.ChannelSourceModifiersSequence = Sequence([coded(*groups.DIFFERENTIAL), coded(*source)])
    item.ChannelSampleSkew = "0"
    item.WaveformBitsStored = BYTES[limits.interpretations[0]] * 8
    return item


def write(head: Dataset, path: Path) -> Path:
    head.save_as(path, enforce_file_format=True)
    return path
