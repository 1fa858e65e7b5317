"""The same instance in another transfer syntax, with not one value changed: for media, and for peers that refuse it.

explicit    anything that is coded without loss, to Explicit VR Little Endian (pydicom; in memory, up to LARGEST)
implicit    Explicit to Implicit VR Little Endian (own; a stream of any size, in constant memory)
unfolding   JPEG-LS, and where it is wanted JPEG, frame by frame (pydicom's decoders; a clip of any length)
scratch     all of them, into a file that has no name and so leaves nothing behind

The SOP Instance UID stays (PS3.5 section 10: another transfer syntax is another encoding of the same instance), since
nothing but lossless coding is undone. None of it is loaded before it is needed.
"""

from __future__ import annotations

LARGEST = 32 << 20  # bytes of what goes through pydicom, and of what it unfolds to: the process then peaks at 210 MiB
