"""TABLE: the Media Storage Application Profiles a file-set can claim (PS3.11 annex J), and what fits them.

The General Purpose profiles are for all composite SOP classes that have a Media Storage SOP Class, so waveforms,
documents and reports are in. What tells them apart is the transfer syntax (table J.3-1): Explicit VR Little Endian
always, and one family of compression for images, JPEG or JPEG 2000, never both in one file-set. RLE, JPEG-LS, MPEG-2
and H.264 are in none of them. USB and SD differ in the medium only; both want FAT16 or FAT32 on it (PS3.12 R, U).

``none`` claims no profile: whatever our DICOMDIR can name. That is still DICOM media (PS3.10), but no reader
has promised to take it.

A file-set keeps the profile it began with, in ``GATEWAY/PROFILE.TXT``: an object that another setting would let in
could make the claim a lie for all that lies there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.transfer.lossless import OTHERWISE_ENCODED
from gateway.transfer.media import regular
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE
from gateway.transfer.media.hashes import FOLDER, place
from gateway.transfer.media.medium import DICOMDIR

_NAME = "PROFILE.TXT"
_LONGEST = 64  # bytes of that file
_JPEG = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 70))
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91))


@dataclass(frozen=True, slots=True)
class Profile:
    """``compressed``: the transfer syntaxes besides Explicit VR Little Endian, None = every one that can be read."""

    name: str
    compressed: frozenset[str] | None
    words: str

    def allows(self, transfer_syntax_uid: str) -> bool:
        if self.compressed is None:
            return transfer_syntax_uid not in OTHERWISE_ENCODED
        return transfer_syntax_uid == EXPLICIT_LITTLE or transfer_syntax_uid in self.compressed

    def refusal(self, what: str | Path, transfer_syntax_uid: str) -> Held:
        """The error to raise for an instance that does not fit."""
        who = "no DICOMDIR of ours can name" if self.compressed is None else f"{self.name} does not allow"
        return Held(
            f"{what} has transfer syntax {transfer_syntax_uid}, which {who}",
            'it stays in the spool; unfit = "transcode" or another profile in [media] may take it',
        )


PROFILES: dict[str, Profile] = {
    one.name: one
    for one in (
        Profile("STD-GEN-USB-JPEG", _JPEG, "General Purpose USB Media Interchange with JPEG"),
        Profile("STD-GEN-USB-J2K", _JPEG_2000, "General Purpose USB Media Interchange with JPEG 2000"),
        Profile("STD-GEN-SD-JPEG", _JPEG, "General Purpose SD Media Interchange with JPEG"),
        Profile("STD-GEN-SD-J2K", _JPEG_2000, "General Purpose SD Media Interchange with JPEG 2000"),
        Profile("none", None, "no application profile is claimed"),
    )
}
DEFAULT = "STD-GEN-USB-JPEG"


def of(root: Path, configured: str = DEFAULT) -> Profile:
    """The profile that the file-set at ``root`` claims already, else the configured one."""
    try:
        said = regular.head(root, f"{FOLDER}/{_NAME}", _LONGEST) or b""
    except OSError:  # a failing medium shows itself at the next step
        said = b""
    return PROFILES.get(said.decode("ascii", "replace").strip()) or PROFILES[configured]


def claim(root: Path, configured: str = DEFAULT) -> Profile:
    """The same, written down if the file-set claims nothing yet. For whoever has claimed the medium.

    For what another program has put there nobody can speak: such a file-set claims none.
    """
    path = root / FOLDER / _NAME
    if path.exists():
        return of(root, configured)
    anothers = (root / DICOMDIR).exists() and not place(root).exists()
    found = PROFILES["none" if anothers else configured]
    fsops.write_file(path, f"{found.name}\r\n".encode("ascii"))
    return found
