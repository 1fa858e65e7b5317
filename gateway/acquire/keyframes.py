"""Where a video stream can be entered: H.264 frames lean on the ones before them, all other encodings stand alone."""

from __future__ import annotations

from gateway.events import Frame

CODED = frozenset({"H264"})  # encodings whose frames need the ones before them
_SEQUENCE_PARAMETERS, _INSTANT_REFRESH = 7, 5  # NAL unit types (H.264 table 7-1)
_START = b"\x00\x00\x01"


def begins(frame: Frame) -> bool:
    """Whether a decoder can begin with this frame: parameters, or a picture that forgets all before it."""
    if frame.encoding not in CODED:
        return True
    data, at = frame.data, frame.data.find(_START)
    while 0 <= at < len(data) - len(_START):
        kind = data[at + len(_START)] & 0x1F
        if kind in (_SEQUENCE_PARAMETERS, _INSTANT_REFRESH):
            return True
        if 1 <= kind < _INSTANT_REFRESH:  # a slice of another picture: what follows is no beginning
            return False
        at = data.find(_START, at + len(_START))
    return False
