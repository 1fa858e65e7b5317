"""Removable media: a folder that is ordinary DICOM media (PS3.10, PS3.11 STD-GEN-USB/SD) at any moment.

elements, records_table    how data elements are encoded; which record a SOP class gets, and its keys
header                     one instance's file, as far as the directory needs it
structure                  any DICOMDIR, read without believing it
layout, directory, stores  ours: where its bytes go, and in which order
medium, hashes             the medium under it, and what the gateway remembers there
fileset                    :func:`add`
repairing, verifying       :func:`repair`, :func:`verify`, :func:`status`

None of it loads pydicom.
"""

from gateway.transfer.media.fileset import add
from gateway.transfer.media.repairing import Repaired, repair
from gateway.transfer.media.verifying import Report, Status, status, verify

__all__ = ["Repaired", "Report", "Status", "add", "repair", "status", "verify"]
