"""Removable media: a folder that is ordinary DICOM media (PS3.10, PS3.11 STD-GEN-USB/SD) at any moment.

dicomdir                   the directory itself
medium, hashes             the medium under it, and what the gateway remembers there
original, tombstones       ... of another program's DICOMDIR, and of what was removed
fileset, removing          :func:`add`, :func:`look`, :func:`remove`
profiles, fitting          which application profile a file-set claims; how an instance is made to fit it
repairing, verifying       :func:`repair`, :func:`verify`, :func:`status`

None of it loads pydicom, but for what is transcoded (transcoding).
"""

from gateway.transfer.media.fileset import Filed, FileSet, add, forget, look
from gateway.transfer.media.medium import MediumFull, MediumRefused
from gateway.transfer.media.removing import remove
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
    "remove",
    "repair",
    "status",
    "verify",
]
