"""Small valid 12-channel ECG files, made with pydicom alone: what the network tests send."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset

from gateway.identifiers import new_uid
from gateway.model import InstanceRef
from gateway.transfer import part10

TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
GENERAL_32 = "1.2.840.10008.5.1.4.1.1.9.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def write_ecg(
    folder: Path, samples: int = 500, sop_class_uid: str = TWELVE_LEAD, name: str = "Doe^Jane"
) -> InstanceRef:
    """A new instance of ``samples`` x 12 channels in ``folder``."""
    folder.mkdir(exist_ok=True)
    uid = new_uid()
    path = folder / f"{uid}.dcm"
    _dataset(samples, sop_class_uid, uid, name).save_as(path, enforce_file_format=True)
    return part10.instance(path)


def _dataset(samples: int, sop_class_uid: str, uid: str, name: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class_uid, uid
    meta.TransferSyntaxUID = EXPLICIT
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, uid
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = name, "PAT-0005", "20010101", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = new_uid(), new_uid()
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260101", "120000", "1", "ACC1"
    ds.ReferringPhysicianName, ds.Manufacturer, ds.Modality = "", "tests", "ECG"
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.ContentDate, ds.ContentTime, ds.AcquisitionDateTime = "20260101", "120000", "20260101120000"
    ds.AcquisitionContextSequence = []
    group = Dataset()
    group.MultiplexGroupTimeOffset = 0
    group.WaveformOriginality, group.NumberOfWaveformChannels = "ORIGINAL", len(LEADS)
    group.NumberOfWaveformSamples, group.SamplingFrequency = samples, 500
    group.ChannelDefinitionSequence = [_channel(lead) for lead in LEADS]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    data = np.random.default_rng(7).integers(-900, 900, (samples, len(LEADS)), dtype="<i2")
    group.WaveformData = data.tobytes()
    ds.WaveformSequence = [group]
    return ds


def _channel(lead: str) -> Dataset:
    channel, source, unit = Dataset(), Dataset(), Dataset()
    source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = "2:1", "MDC", f"Lead {lead}"
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "uV", "UCUM", "microvolt"
    channel.ChannelSourceSequence = [source]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "1", "1"
    channel.ChannelSensitivityUnitsSequence, channel.ChannelBaseline = [unit], "0"
    channel.ChannelTimeSkew, channel.WaveformBitsStored, channel.ChannelLabel = "0", 16, lead
    return channel
