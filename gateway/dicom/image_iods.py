"""TABLE of the image, video and document IODs that the check knows."""

from __future__ import annotations

from gateway.dicom.definition import Iod

ROWS: tuple[Iod, ...] = ()
