"""README.TXT of a PDI medium (RAD TF-3 4.47): plain text for whoever has the stick in hand and no viewer."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from gateway import __version__
from gateway.settings import Settings
from gateway.transfer.media.pdi.pages import MARK
from gateway.transfer.media.profiles import DEFAULT, Profile

_WIDTH = 76
_PLACES = (
    ("INDEX.HTM", "what is on the medium, with pictures: open it with a browser"),
    ("DICOMDIR", "the directory of all DICOM files: open it with a DICOM viewer"),
    ("PA000001 ...", "the DICOM files, in folders for patient, study and series"),
    ("IHE_PDI", "the pages and pictures behind INDEX.HTM"),
    ("GATEWAY", "notes of the gateway; SHA256.TXT has a checksum of each DICOM file (sha256sum -c GATEWAY/SHA256.TXT)"),
)


@dataclass(frozen=True, slots=True)
class About:
    """Who makes the medium. ``contact``: whom to ask."""

    institution: str = ""
    department: str = ""
    station: str = ""
    contact: str = ""
    profile: str = DEFAULT  # as configured; what the file-set claims itself counts more


def about(settings: Settings) -> About:
    """As the configuration says."""
    box, media = settings.box, settings.media
    return About(
        institution=box.institution_name,
        department=box.department,
        station=box.station_name or box.ae_title,
        contact=media.contact if media else "",
        profile=media.profile if media else DEFAULT,
    )


def text(of: About, profile: Profile, file_set_id: str, updated: str) -> str:
    """The whole file; lines end as every editor knows them."""
    claim = (
        "The file-set claims no application profile of DICOM PS3.11. A viewer may refuse some of its objects."
        if profile.compressed is None
        else f"Media storage application profile (DICOM PS3.11): {profile.name}, {profile.words}."
    )
    parts = [
        ("README", [f"This is a DICOM medium with pages for a browser (IHE PDI). [{MARK}]"]),
        (
            "WHO MADE IT",
            [
                f"Institution: {', '.join(p for p in (of.institution, of.department) if p) or 'not stated'}",
                f"Contact: {of.contact or 'not stated: ask the institution'}",
                *([f"Station: {of.station}"] if of.station else []),
                *([f"This file was written on: {updated}"] if updated else []),
            ],
        ),
        (
            "WHAT MADE IT",
            [
                f"Software: modality gateway, version {__version__}",
                "It has no manufacturer in the sense of the law on medical devices: it is free software (MIT "
                "licence) and no certified medical device.",
            ],
        ),
        ("WHAT LIES WHERE", [f"{place:13}{words}" for place, words in _PLACES]),
        (
            "WHICH DICOM",
            [
                f"File-set ID: {file_set_id or 'none'}",
                claim,
                "There is no program on this medium, and nothing on it starts by itself.",
            ],
        ),
        (
            "PLEASE NOTE",
            [
                "The medium holds confidential health data. Whoever finds it: please give it back to the institution.",
                "The pictures are for orientation, not for diagnosis. Only the DICOM files hold all that was recorded. "
                "The pages may lag behind the DICOM files; DICOMDIR counts.",
            ],
        ),
    ]
    lines: list[str] = []
    for title, paragraphs in parts:
        lines += [title, "-" * len(title)]
        for paragraph in paragraphs:
            indent = " " * 13 if title == "WHAT LIES WHERE" else "  "
            lines += textwrap.wrap(
                paragraph, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        lines.append("")
    return "\r\n".join(lines)
