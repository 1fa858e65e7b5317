"""Small valid instances, made with pydicom: the writer under test must not be its own judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from gateway.model import InstanceRef
from gateway.transfer.media import hashes

TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.2"
GENERAL_32 = "1.2.840.10008.5.1.4.1.1.9.1.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"

Make = Callable[..., InstanceRef]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def data_set(sop_class: str = TWELVE_LEAD, **values: object) -> Dataset:
    """An instance of ``sop_class``; ``values`` replace attributes by keyword, None removes one."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.StudyDate, ds.StudyTime, ds.ContentDate, ds.ContentTime = "20261123", "093000", "20261123", "093100"
    ds.AcquisitionDateTime = "20261123093100"
    ds.AccessionNumber, ds.StudyDescription, ds.StudyID = "A1", "Resting ECG", "S1"
    ds.ReferringPhysicianName = ds.Manufacturer = ""
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "ECG", 1, 1
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Doe^Jane", "P1", "19700101", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    if ".9.1." in sop_class:
        ds.WaveformSequence = [_group(32 if sop_class == GENERAL_32 else 16)]
        ds.AcquisitionContextSequence = []
    elif sop_class == SECONDARY_CAPTURE:
        ds.Modality, ds.ConversionType = "OT", "WSD"
        ds.Rows = ds.Columns = 2
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit, ds.PixelData = 7, b"\0\1\2\3"
    elif sop_class == PDF:
        ds.Modality, ds.MIMETypeOfEncapsulatedDocument, ds.DocumentTitle = "DOC", "application/pdf", "Report"
        ds.ConceptNameCodeSequence, ds.EncapsulatedDocument = [], b"%PDF"
    elif sop_class == BASIC_TEXT:
        ds.Modality, ds.CompletionFlag, ds.VerificationFlag = "SR", "COMPLETE", "UNVERIFIED"
        ds.ConceptNameCodeSequence = [_code("28010-7", "LN", "ECG Report")]
    for keyword, value in values.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def _group(bits: int) -> Dataset:
    channel = Dataset()
    channel.ChannelSampleSkew = 0
    channel.WaveformBitsStored = bits
    channel.ChannelSourceSequence = [_code("2:1", "MDC", "Lead I")]
    group = Dataset()
    group.WaveformOriginality, group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = "ORIGINAL", 1, 100
    group.SamplingFrequency, group.WaveformBitsAllocated = 500, bits
    group.WaveformSampleInterpretation = "SL" if bits == 32 else "SS"
    group.ChannelDefinitionSequence = [channel]
    group.add_new(0x54001010, "OW", np.arange(100, dtype=f"<i{bits // 8}").tobytes())
    return group


def write(folder: Path, ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> InstanceRef:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    path = folder / f"{ds.SOPInstanceUID}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return InstanceRef(ds.SOPClassUID, ds.SOPInstanceUID, syntax, str(path), path.stat().st_size)


def rewrite_hashes(root: Path, known: Mapping[str, str]) -> None:
    """The list of hashes on a medium, as somebody else left it."""
    hashes.place(root).write_bytes(b"".join(hashes.line(file_id, known[file_id]) for file_id in sorted(known)))
