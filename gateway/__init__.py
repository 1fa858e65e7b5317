"""DICOM modality gateway for devices that know no DICOM."""

__version__ = "0.1.0"
