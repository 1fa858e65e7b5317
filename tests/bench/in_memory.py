"""The same ECG the ordinary way: all samples in one array, one pydicom data set, ``save_as``, one fsync.

This is the peer that ``wrap`` is measured against, so it does only what must be done: read the records, scale to 16 bit
with each channel's own sensitivity, state it, and write the modules of PS3.3 A.34.3 and A.34.4.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from gateway import places, records
from gateway.acquire.recorder import read_facts
from gateway.events import Samples
from gateway.model import Channel, Exam

TWELVE_LEAD, GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.2"
LONGEST = 16384  # samples per channel of 12-Lead ECG
NUMBERS = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8, "III": 61, "aVR": 62, "aVL": 63}


def wrap(acquisition: Path, exam: Exam, out: Path) -> Path:
    """Write the instance into ``out`` and return its path."""
    (group,) = read_facts(acquisition).groups
    blocks = [e.data for e in records.events(acquisition / places.RECORDS) if isinstance(e, Samples)]
    counts = np.concatenate(blocks)
    largest = np.abs(counts).max(axis=0) / 32767
    stored = np.empty(counts.shape, "<i2")
    for index, step in enumerate(largest):
        stored[:, index] = np.rint(counts[:, index] / step)
    item = Dataset()
    item.MultiplexGroupTimeOffset = "0"
    item.WaveformOriginality, item.NumberOfWaveformChannels = "ORIGINAL", len(group.channels)
    item.NumberOfWaveformSamples, item.SamplingFrequency = len(counts), str(group.rate)
    item.MultiplexGroupLabel = group.label
    item.ChannelDefinitionSequence = [
        _channel(channel, channel.sensitivity * step) for channel, step in zip(group.channels, largest, strict=True)
    ]
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = 16, "SS"
    item.add_new("WaveformData", "OW", stored.tobytes())
    ds = _header(exam, TWELVE_LEAD if len(counts) <= LONGEST else GENERAL)
    ds.WaveformSequence = [item]
    path = out / f"{ds.SOPInstanceUID}.dcm"
    with path.open("wb") as stream:
        ds.save_as(stream, enforce_file_format=True)
        stream.flush()
        os.fsync(stream.fileno())
    return path


def _header(exam: Exam, sop_class_uid: str) -> Dataset:
    assert exam.attribution is not None
    ds = Dataset.from_json({k: v for k, v in exam.attribution.item.items() if k not in ("00321064", "00400100")})
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = sop_class_uid, generate_uid(), generate_uid()
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = "20260922"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.AcquisitionDateTime, ds.Modality, ds.StudyID = "20260922120000", "ECG", "1"
    ds.SeriesNumber, ds.InstanceNumber, ds.ReferringPhysicianName = 1, 1, ""
    ds.Manufacturer, ds.ManufacturerModelName = "ACME", "ECG-8"
    ds.DeviceSerialNumber, ds.SoftwareVersions, ds.StationName = "SN1", "fw 2.0", "BOX1"
    ds.AcquisitionContextSequence = []
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _channel(channel: Channel, sensitivity: float) -> Dataset:
    found = Dataset()
    found.ChannelLabel, found.WaveformBitsStored = channel.label, 16
    number = NUMBERS.get(channel.label, 64)
    found.ChannelSourceSequence = [_code(f"2:{number}", "MDC", f"Lead {channel.label}")]
    found.ChannelSensitivity, found.ChannelSensitivityCorrectionFactor = f"{sensitivity:.10g}", "1"
    found.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    found.ChannelBaseline, found.ChannelSampleSkew = "0", "0"
    found.FilterLowFrequency, found.FilterHighFrequency = "0.05", "150"
    found.NotchFilterFrequency = "50"
    return found


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
