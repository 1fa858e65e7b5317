"""A Part 10 file (PS3.10 7) whose waveform samples come later and in blocks.

The header is small and goes through pydicom. The Waveform Sequence is written here, with defined lengths
(they are known beforehand, and a reader can skip by them): each item ends with a Waveform Data element whose value
is left open, and :func:`write_header` tells where. Explicit VR Little Endian only.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from gateway.dicom.definition import LONGEST_DATA
from gateway.errors import Held
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

_SEQUENCE = struct.pack("<HH2sHI", 0x5400, 0x0100, b"SQ", 0, 0)[:8]
_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
_DATA = {vr: struct.pack("<HH2sH", 0x5400, 0x1010, vr, 0) for vr in (b"OB", b"OW")}
_WAVEFORM_SEQUENCE = 0x54000100


@dataclass(frozen=True, slots=True)
class Group:
    """An item of the Waveform Sequence without its data, and how many bytes of data follow; an odd number is padded."""

    item: Dataset
    length: int

    @property
    def padded(self) -> int:
        return self.length + self.length % 2

    @property
    def head(self) -> bytes:
        """Tag, VR (PS3.5 A.2: OB if samples have 8 bits) and length of the data."""
        return _DATA[b"OB" if self.item.WaveformBitsAllocated == 8 else b"OW"] + struct.pack("<I", self.padded)


def file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str = ExplicitVRLittleEndian
) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta


def write_header(stream: BinaryIO, header: Dataset, groups: Sequence[Group]) -> list[int]:
    """Write everything but the samples; returns the offset of each group's Waveform Data value.

    The file then has its final length, with nothing in those places. ``header`` must have no element above
    the Waveform Sequence. Raises Held if the samples are more than one element can hold.
    """
    if header and max(header.keys()) >= _WAVEFORM_SEQUENCE:
        raise ValueError("the waveform sequence must be the last element")
    items = [_encoded(group.item) for group in groups]
    lengths = [len(data) + len(group.head) + group.padded for data, group in zip(items, groups, strict=True)]
    whole = sum(8 + length for length in lengths)
    if whole > LONGEST_DATA:
        raise Held(
            f"the samples take {whole} bytes, one DICOM waveform sequence holds {LONGEST_DATA}",
            "record in shorter parts",
        )
    stream.write(beginning(header) + _SEQUENCE + struct.pack("<I", whole))
    offsets = []
    for data, group, length in zip(items, groups, lengths, strict=True):
        stream.write(_ITEM + struct.pack("<I", length) + data + group.head)
        offsets.append(stream.tell())
        stream.seek(group.padded, 1)
    stream.truncate(stream.tell())
    return offsets


def beginning(header: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Preamble, File Meta Information and the data set as far as it is in ``header``, in Explicit VR Little Endian."""
    head = DicomBytesIO()
    head.write(bytes(128) + b"DICM")
    meta = file_meta(header.SOPClassUID, header.SOPInstanceUID, transfer_syntax_uid)
    write_file_meta_info(head, meta, enforce_standard=True)
    head.write(_encoded(header))
    return bytes(head.getvalue())


def _encoded(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    character_set = dataset.get("SpecificCharacterSet", "ISO_IR 192")
    write_dataset(buffer, dataset, character_set if isinstance(character_set, str) else list(character_set))
    return bytes(buffer.getvalue())
