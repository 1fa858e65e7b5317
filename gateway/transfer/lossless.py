"""TABLE: from which transfer syntax into which others an instance can be brought, and without loss (PS3.5 annex A)."""

from __future__ import annotations

from gateway.transfer.names import EXPLICIT, IMPLICIT

# Whose data sets are encoded otherwise than in Explicit VR Little Endian: Implicit VR, Deflated, Big Endian.
OTHERWISE_ENCODED = frozenset({IMPLICIT, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
# Whose pixels are coded: RLE, JPEG lossless, JPEG-LS lossless, JPEG 2000 lossless, HTJ2K lossless (PS3.5 A.4).
LOSSLESS_PIXELS = frozenset({"1.2.840.10008.1.2.5"} | {f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 80, 90, 201, 202)})
# What a decoder turns into pixels, and what was lost stays lost: JPEG baseline and extended.
LOSSY_FRAMES = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51))
STREAMED = LOSSY_FRAMES | {"1.2.840.10008.1.2.4.80"}  # unfolded frame by frame, whatever their number


def instead(transfer_syntax_uid: str, decoded: bool = False) -> tuple[str, ...]:
    """Into which transfer syntaxes an instance can be brought, the better first; of what is coded with loss, none
    unless it may be ``decoded``.

    Explicit VR is the better one: it tells the kind of private elements too.
    """
    if decoded and transfer_syntax_uid in LOSSY_FRAMES:
        return (EXPLICIT, IMPLICIT)
    if transfer_syntax_uid == EXPLICIT:
        return (IMPLICIT,)
    if transfer_syntax_uid == IMPLICIT:
        return (EXPLICIT,)
    return (EXPLICIT, IMPLICIT) if transfer_syntax_uid in OTHERWISE_ENCODED | LOSSLESS_PIXELS else ()
