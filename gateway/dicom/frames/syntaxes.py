"""TABLE of the transfer syntaxes for H.264 (PS3.5 8.2.7, 8.2.8), and which of them says the truth of a stream.

A stream is never named for what it is not: only High Profile has a name, so what is coded in another one is held. Of
the two names for one coding, the one without ``.1`` is what archives know; it puts the whole stream into one fragment,
so the other, Fragmentable, is for streams that are longer than a fragment may be.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.dicom.frames.h264 import Sequence
from gateway.errors import Held

HIGH = 100
FIX = "let the camera encode High Profile, 4:2:0, 8 bits; or re-encode: ffmpeg -i CLIP -c:v libx264 -profile:v high"


@dataclass(frozen=True, slots=True)
class Row:
    level: int  # ten times the highest level
    whole: str  # one fragment
    fragmentable: str


# BD-compatible (.103) is a further promise about sizes and rates, which no parameter set makes; Stereo High is 3D.
ROWS = (
    Row(41, "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.102.1"),
    Row(42, "1.2.840.10008.1.2.4.104", "1.2.840.10008.1.2.4.104.1"),
)


def row(stream: Sequence) -> Row:
    """Raises Held, in words, if no transfer syntax names what the stream is."""
    if stream.profile != HIGH:
        raise Held(f"the clip is H.264 {stream.named}; DICOM has transfer syntaxes for High Profile only", FIX)
    if (stream.chroma, stream.depth) != (1, 8):
        chroma = {0: "without colour", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4"}.get(stream.chroma, "of unknown chroma")
        raise Held(f"the clip is H.264 {chroma} with {stream.depth} bits; DICOM has only 4:2:0 with 8 bits", FIX)
    found = next((row for row in ROWS if stream.level <= row.level), None)
    if found is None:
        raise Held(f"the clip is H.264 {stream.named}; the highest level in DICOM is 4.2", FIX)
    return found
