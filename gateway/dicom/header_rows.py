"""ROWS of the header table for what no worklist gives: of all instances, of waveforms, of pictures, of documents.

They become :data:`gateway.dicom.header_table.TABLE`, together with what the worklist gives.
"""

from __future__ import annotations

from gateway.dicom.origin import Origin, Presence, Source

_A, _V, _N, _E = Presence
_MWL, _USER, _DEVICE, _CONFIG, _AUTO, _FIXED, _ = Source

# Which setting of [gateway] an attribute has its value from.
CONFIGURED: dict[str, str] = {
    "StationName": "station_name",
    "InstitutionName": "institution_name",
    "InstitutionalDepartmentName": "department",
}

HEADER = (
    Origin("SOPClassUID", _A, (_FIXED,)),
    Origin(
        "SOPInstanceUID", _A, (_AUTO,), "derived of recording, class, part and whose it is: wrapped again, the same"
    ),
    Origin("SpecificCharacterSet", _N, (_AUTO,), "ISO_IR 192 if a value needs more than ASCII"),
    Origin("TimezoneOffsetFromUTC", _A, (_AUTO,), "of the box"),
    Origin("InstanceNumber", _A, (_AUTO,), "counts the device's recordings in the exam, and the parts of one"),
    Origin(
        "OriginalAttributesSequence",
        _N,
        (_AUTO,),
        "only in a corrected copy: the patient and step it had been given to, with zero length what was not there",
        whole=True,
    ),
    Origin(
        "StudyInstanceUID", _A, (_MWL, _AUTO), "Study Instance UID of the item; one of its own if steps have several"
    ),
    Origin("StudyDate", _A, (_AUTO,), "when the exam was opened"),
    Origin("StudyTime", _A, (_AUTO,), "when the exam was opened"),
    Origin("StudyID", _A, (_MWL, _AUTO), "Requested Procedure ID of the item", "the exam's id"),
    Origin("Modality", _A, (_FIXED,)),
    Origin("SeriesInstanceUID", _A, (_AUTO,), "one for each exam, device and modality; tests are apart"),
    Origin("SeriesNumber", _A, (_AUTO,), "follows the device's place in the exam"),
    Origin("SeriesDescription", _A, (_CONFIG,), "the device's name; of a test, that it is one"),
    Origin(
        "ProtocolName",
        _A,
        (_MWL,),
        "meaning of the first Scheduled Protocol Code, else Scheduled Procedure Step Description",
        "the name of the class",
    ),
    Origin("OperatorsName", _N, (_USER,), "who started the exam, if they say so"),
    Origin("PerformedProcedureStepID", _A, (_AUTO,), "the exam's id; as in the MPPS"),
    Origin("PerformedProcedureStepStartDate", _A, (_AUTO,), "when the exam was opened; as in the MPPS"),
    Origin("PerformedProcedureStepStartTime", _A, (_AUTO,), "when the exam was opened; as in the MPPS"),
    Origin("ReferencedPerformedProcedureStepSequence", _A, (_AUTO,), "the MPPS", whole=True),
    Origin(
        "SynchronizationFrameOfReferenceUID", _N, (_AUTO,), "that of UTC if the clock was synchronized, else its own"
    ),
    Origin("SynchronizationTrigger", _N, (_FIXED,), "NO TRIGGER"),
    Origin("AcquisitionTimeSynchronized", _N, (_AUTO,), "whether the clock was synchronized as it began"),
    Origin("Manufacturer", _V, (_DEVICE,), "as its adapter knows it", "UNKNOWN where it is type 1"),
    Origin("ManufacturerModelName", _N, (_DEVICE,), "as its adapter knows it", "UNKNOWN where it is type 1"),
    Origin("DeviceSerialNumber", _N, (_DEVICE,), "as the device says it", "UNKNOWN where it is type 1"),
    Origin("SoftwareVersions", _A, (_DEVICE, _FIXED), "the device's, then those of gateway and adapter"),
    *(Origin(keyword, _N, (_CONFIG,), f"{setting} under [gateway]") for keyword, setting in CONFIGURED.items()),
    Origin("ContentDate", _A, (_AUTO,), "when the recording, or this part of it, began"),
    Origin("ContentTime", _A, (_AUTO,), "when the recording, or this part of it, began"),
    Origin("AcquisitionDateTime", _A, (_AUTO,), "when the recording, or this part of it, began"),
)

_CHANNEL = "WaveformSequence/ChannelDefinitionSequence/"
WAVEFORM = (
    Origin("AcquisitionContextSequence", _E, (_FIXED,)),
    Origin(
        "WaveformAnnotationSequence",
        _N,
        (_DEVICE, _AUTO),
        "markers and gaps; that it was cut off, is a test, is a part of one, or was not calibrated",
        whole=True,
    ),
    Origin("WaveformSequence", _A, (_DEVICE,), "an item for each multiplex group in which something was recorded"),
    *(
        Origin(f"WaveformSequence/{path}", presence, sources, words)
        for path, presence, sources, words in (
            (
                "MultiplexGroupTimeOffset",
                _N,
                (_AUTO,),
                "where Acquisition Time Synchronized is Y; 0 of a whole recording",
            ),
            ("WaveformOriginality", _A, (_FIXED,), "ORIGINAL"),
            (
                "NumberOfWaveformChannels",
                _A,
                (_DEVICE,),
                "those of the device, and limb leads that follow from I and II",
            ),
            ("NumberOfWaveformSamples", _A, (_DEVICE,), "those recorded, and padding for what was lost"),
            ("SamplingFrequency", _A, (_DEVICE,), ""),
            ("MultiplexGroupLabel", _N, (_DEVICE,), ""),
            ("ChannelDefinitionSequence", _A, (_DEVICE,), "an item for each channel"),
            ("WaveformBitsAllocated", _A, (_FIXED, _DEVICE), "where the class has a choice: what the counts need"),
            (
                "WaveformSampleInterpretation",
                _A,
                (_FIXED, _DEVICE),
                "where the class has a choice: what the counts need",
            ),
            ("WaveformPaddingValue", _N, (_FIXED,), "the least value, if samples were lost"),
            ("WaveformData", _A, (_DEVICE,), "the samples; in a narrower class rounded to Channel Sensitivity"),
        )
    ),
    *(
        Origin(f"{_CHANNEL}{path}", presence, sources, words, whole=path.endswith("Sequence"))
        for path, presence, sources, words in (
            ("ChannelLabel", _A, (_DEVICE,), "as the device, or its leads in the configuration, call it"),
            (
                "ChannelSourceSequence",
                _A,
                (_DEVICE, _CONFIG),
                "what device or montage call it; of ECG else unspecified",
            ),
            (
                "ChannelSourceModifiersSequence",
                _N,
                (_DEVICE, _CONFIG),
                "the electrode that it is measured against; a place",
            ),
            ("ChannelDerivationDescription", _N, (_FIXED,), "of a limb lead that was calculated: how"),
            (
                "ChannelSensitivity",
                _N,
                (_DEVICE,),
                "or, in a narrower class, from the range of the signal; none if uncalibrated",
            ),
            ("ChannelSensitivityUnitsSequence", _N, (_DEVICE,), "UCUM"),
            ("ChannelSensitivityCorrectionFactor", _N, (_FIXED,), "1"),
            ("ChannelBaseline", _N, (_DEVICE,), ""),
            ("ChannelTimeSkew", _N, (_DEVICE,), "if the device tells"),
            ("ChannelSampleSkew", _N, (_FIXED,), "0, if no Channel Time Skew is told"),
            ("WaveformBitsStored", _A, (_FIXED, _DEVICE), "as delivered, where that is what is stored"),
            ("FilterLowFrequency", _N, (_DEVICE,), "if the device tells"),
            ("FilterHighFrequency", _N, (_DEVICE,), "if the device tells"),
            ("NotchFilterFrequency", _N, (_DEVICE,), "if the device tells"),
        )
    ),
)

IMAGE = (
    Origin("PatientOrientation", _E, (_FIXED,)),
    Origin("ImageType", _A, (_FIXED,)),
    Origin(
        "BurnedInAnnotation", _N, (_CONFIG,), "of the device's profile; where it must be said and nobody knows, YES"
    ),
    Origin("LossyImageCompression", _A, (_DEVICE,), "how its frames are coded"),
    Origin("LossyImageCompressionRatio", _N, (_DEVICE,), "of what was received"),
    Origin("LossyImageCompressionMethod", _N, (_DEVICE,), "how its frames are coded"),
    Origin(
        "AnatomicRegionSequence", _N, (_CONFIG,), "of the device's profile", "Anatomical structure in a VL clip", True
    ),
    Origin("ImageLaterality", _N, (_CONFIG,), "of the device's profile"),
    Origin(
        "ImageComments", _N, (_DEVICE, _AUTO), "what was lost, that it is a test or a part, how even its frames are"
    ),
    Origin("ConversionType", _A, (_FIXED,), "DI; of a document WSD"),
    Origin("PresentationLUTShape", _N, (_FIXED,), "IDENTITY, without colour"),
    *(Origin(f"Rescale{what}", _N, (_FIXED,), "no change, without colour") for what in ("Intercept", "Slope", "Type")),
    Origin("SamplesPerPixel", _A, (_DEVICE,)),
    Origin("PhotometricInterpretation", _A, (_DEVICE,)),
    Origin("PlanarConfiguration", _N, (_FIXED,), "0, with colour"),
    Origin("Rows", _A, (_DEVICE, _CONFIG), "or of the crop in the device's profile"),
    Origin("Columns", _A, (_DEVICE, _CONFIG), "or of the crop in the device's profile"),
    Origin("PixelAspectRatio", _N, (_DEVICE,), "if it is not 1:1"),
    *(Origin(keyword, _A, (_FIXED,)) for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")),
    Origin("ICCProfile", _N, (_FIXED,), "sRGB, where the colours are"),
    Origin("ColorSpace", _N, (_FIXED,), "SRGB, where the colours are"),
    Origin("NumberOfFrames", _A, (_DEVICE,)),
    Origin("FrameIncrementPointer", _N, (_DEVICE,), "of a clip: to Frame Time, or its vector if they came unevenly"),
    Origin("FrameTime", _N, (_DEVICE,)),
    Origin("FrameTimeVector", _N, (_DEVICE,)),
    *(Origin(k, _A, (_DEVICE,)) for k in ("RecommendedDisplayFrameRate", "CineRate", "EffectiveDuration")),
    Origin("SequenceOfUltrasoundRegions", _N, (_CONFIG,), "calibration in the device's profile", whole=True),
    Origin("PixelData", _A, (_DEVICE,), "frames as received, or converted where the device's profile asks for it"),
)

DOCUMENT = (
    Origin("DocumentTitle", _A, (_CONFIG,), "as the series is called"),
    Origin("ConceptNameCodeSequence", _E, (_FIXED,)),
    Origin("MIMETypeOfEncapsulatedDocument", _A, (_FIXED,), "application/pdf"),
    Origin("EncapsulatedDocument", _A, (_DEVICE,), "the file as it came"),
    Origin("EncapsulatedDocumentLength", _A, (_DEVICE,)),
)
