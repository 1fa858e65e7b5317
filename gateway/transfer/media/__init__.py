"""Removable media: a folder that is ordinary DICOM media (PS3.10, PS3.11 STD-GEN-USB/SD) at any moment.

dicomdir                   the directory itself
medium, hashes             the medium under it, and what the gateway remembers there
fileset                    :func:`add`, :func:`look`
repairing, verifying       :func:`repair`, :func:`verify`, :func:`status`

None of it loads pydicom.
"""

from gateway.transfer.media.fileset import Filed, FileSet, add, forget, look
from gateway.transfer.media.medium import MediumFull, MediumRefused
from gateway.transfer.media.repairing import Repaired, repair
from gateway.transfer.media.verifying import Kept, Report, Status, status, verify

__all__ = [
    "FileSet",
    "Filed",
    "Kept",
    "MediumFull",
    "MediumRefused",
    "Repaired",
    "Report",
    "Status",
    "add",
    "forget",
    "look",
    "repair",
    "status",
    "verify",
]
