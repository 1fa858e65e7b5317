"""TABLE of the SOP classes that this box writes, by the word that the configuration has for each (PS3.6 annex A)."""

from __future__ import annotations

_UID = "1.2.840.10008.5.1.4.1.1."
WRITTEN: dict[str, str] = {
    "twelve-lead": f"{_UID}9.1.1",
    "general": f"{_UID}9.1.2",
    "ambulatory": f"{_UID}9.1.3",
    "general-32": f"{_UID}9.1.4",
    "endoscopic": f"{_UID}77.1.1",
    "endoscopic-video": f"{_UID}77.1.1.1",
    "photographic": f"{_UID}77.1.4",
    "photographic-video": f"{_UID}77.1.4.1",
    "ultrasound": f"{_UID}6.1",
    "ultrasound-frames": f"{_UID}3.1",
    "capture": f"{_UID}7",
    "capture-bytes": f"{_UID}7.2",
    "capture-colours": f"{_UID}7.4",
}
AUTO = ("twelve-lead", "general", "ambulatory")  # what iod = "auto" chooses from
# Of pictures: a still, a clip, a clip without colour, by what iod says of the device; "auto" is capture
PICTURES: dict[str, tuple[str, str, str]] = {
    "endoscopic": ("endoscopic", "endoscopic-video", "endoscopic-video"),
    "photographic": ("photographic", "photographic-video", "photographic-video"),
    "ultrasound": ("ultrasound", "ultrasound-frames", "ultrasound-frames"),
    "capture": ("capture", "capture-colours", "capture-bytes"),
}
