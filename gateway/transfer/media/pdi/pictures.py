"""One instance as something a browser opens: an ECG sheet, a still, the PDF that is in it. Imported only to draw.

A picture is a convenience: whatever is wrong with a file, there is no picture of it, and the page says so.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from gateway.dicom import plot
from gateway.dicom.reading import open_file
from gateway.dicom.waveform import groups_of
from gateway.errors import Held
from gateway.transfer import part10
from gateway.transfer.media import regular
from gateway.transfer.media.dicomdir.elements import Window, element_at
from gateway.transfer.media.pdi.stills import still

log = logging.getLogger(__name__)
MOST_CHANNELS = 64  # of a sheet: one strip each
_MOST_SAMPLES = 1_000_000  # of a strip
_LARGEST_DOCUMENT = 16 << 20  # bytes
_DOCUMENT, _MIME = 0x00420011, b"application/pdf"
_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}")


def relative(file_id: bytes) -> str | None:
    """A File ID as a path below the root; None if it is none that is allowed (PS3.10 section 8.2)."""
    parts = [part.strip() for part in file_id.decode("ascii", "replace").split("\\")]
    if len(parts) > 8 or not all(_COMPONENT.fullmatch(part) for part in parts):
        return None
    return "/".join(parts)


def picture(root: Path, file: str, record_type: str, mime: bytes = b"") -> tuple[str, bytes] | None:
    """Suffix and bytes; None if there is nothing to show. ``file``: relative to the root. Raises OSError only."""
    try:
        with regular.opened(root, file) as descriptor:
            if descriptor is None:
                return None
            if record_type == "WAVEFORM":
                return ".SVG", _sheet(root / file).encode("utf-8")
            if record_type == "IMAGE":
                return still(descriptor)
            if record_type == "ENCAP DOC" and mime == _MIME:
                return _document(descriptor)
    except OSError:
        raise
    except Exception as error:  # foreign bytes
        log.info("no picture of %s: %s", file, error if isinstance(error, Held) else type(error).__name__)
    return None


def _sheet(path: Path) -> str:
    group = groups_of(open_file(path), 0.0)[0]
    if len(group.traces) > MOST_CHANNELS or group.rate * plot.STRIP_SECONDS > _MOST_SAMPLES:
        raise Held(f"{path} has {len(group.traces)} channels at {group.rate:g} Hz: too many for a sheet")
    return plot.svg(path, identify=True)


def _document(descriptor: int) -> tuple[str, bytes] | None:
    source = Window(descriptor)
    at = part10.read(descriptor, "the instance").offset
    while at + 12 <= source.size:
        element = element_at(source, at, source.size)
        if element.tag == _DOCUMENT:
            if not 4 < element.length <= _LARGEST_DOCUMENT:
                return None
            data = os.pread(descriptor, element.length, element.value)
            return (".PDF", data) if data.startswith(b"%PDF") else None
        at = element.end
    return None
