"""TABLES of the SOP classes that this box writes, by the word that the configuration has for each (PS3.6 annex A)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Kind

_UID = "1.2.840.10008.5.1.4.1.1."
_WAVEFORM = f"{_UID}9."
WRITTEN: dict[str, str] = {
    "twelve-lead": f"{_WAVEFORM}1.1",
    "general": f"{_WAVEFORM}1.2",
    "ambulatory": f"{_WAVEFORM}1.3",
    "general-32": f"{_WAVEFORM}1.4",
    "hemodynamic": f"{_WAVEFORM}2.1",
    "electrophysiology": f"{_WAVEFORM}3.1",
    "voice": f"{_WAVEFORM}4.1",
    "audio": f"{_WAVEFORM}4.2",
    "pulse": f"{_WAVEFORM}5.1",
    "respiratory": f"{_WAVEFORM}6.1",
    "respiratory-channels": f"{_WAVEFORM}6.2",
    "eeg": f"{_WAVEFORM}7.1",
    "emg": f"{_WAVEFORM}7.2",
    "eog": f"{_WAVEFORM}7.3",
    "sleep-eeg": f"{_WAVEFORM}7.4",
    "position": f"{_WAVEFORM}8.1",
    "endoscopic": f"{_UID}77.1.1",
    "endoscopic-video": f"{_UID}77.1.1.1",
    "photographic": f"{_UID}77.1.4",
    "photographic-video": f"{_UID}77.1.4.1",
    "ultrasound": f"{_UID}6.1",
    "ultrasound-frames": f"{_UID}3.1",
    "capture": f"{_UID}7",
    "capture-bytes": f"{_UID}7.2",
    "capture-colours": f"{_UID}7.4",
    "pdf": f"{_UID}104.1",
}
# Of pictures: a still, a clip, a clip without colour, by the word that a device's iod has for all of them
PICTURES: dict[str, tuple[str, str, str]] = {
    "endoscopic": ("endoscopic", "endoscopic-video", "endoscopic-video"),
    "photographic": ("photographic", "photographic-video", "photographic-video"),
    "ultrasound": ("ultrasound", "ultrasound-frames", "ultrasound-frames"),
    "capture": ("capture", "capture-colours", "capture-bytes"),
}
# What a device's iod may say
_FOLLOWS = {"pdf", *(one for few in PICTURES.values() for one in few)} - set(PICTURES)  # from what came
IODS = tuple(key for key in WRITTEN if key not in _FOLLOWS)


@dataclass(frozen=True, slots=True)
class Classes:
    """What a kind of measurement may become. ``auto``: iod = "auto" takes the first that it fits into; of a recording
    that is long by the device's settings the first of ``long``; ``widest`` is what the limits are then told of if it
    fits into none. ``further`` only a device's ``iod`` asks for.
    """

    auto: tuple[str, ...]
    further: tuple[str, ...] = ()
    long: tuple[str, ...] = ()
    told: str = ""

    @property
    def widest(self) -> str:
        return self.told or self.auto[-1]

    def asked(self, iod: str, mixed: bool) -> str:
        """What a device's ``iod`` asks for; of a ``mixed`` source, it is only for the kinds that can become that."""
        return "auto" if mixed and iod not in self.every else iod

    def candidates(self, iod: str, mixed: bool) -> tuple[str, ...]:
        """What a recording may become by itself."""
        asked = self.asked(iod, mixed)
        return self.auto if asked == "auto" else (asked,)

    @property
    def every(self) -> tuple[str, ...]:
        return (*self.auto, *self.further)


SIGNALS = tuple(kind for kind in Kind if kind not in (Kind.PICTURES, Kind.DOCUMENT))  # what has channels
BY_KIND: dict[Kind, Classes] = {
    Kind.ECG: Classes(
        ("twelve-lead", "general", "ambulatory"), ("general-32",), ("twelve-lead", "ambulatory", "general"), "general"
    ),
    Kind.HEMODYNAMIC: Classes(("hemodynamic",)),
    Kind.ELECTROPHYSIOLOGY: Classes(("electrophysiology",)),
    Kind.PULSE: Classes(("pulse",), ("hemodynamic",)),
    Kind.RESPIRATION: Classes(("respiratory", "respiratory-channels")),
    Kind.EEG: Classes(("eeg",), ("sleep-eeg",)),
    Kind.SLEEP: Classes(("sleep-eeg",), ("eeg",)),
    Kind.EMG: Classes(("emg",)),
    Kind.EOG: Classes(("eog",)),
    Kind.POSITION: Classes(("position",)),
    Kind.VOICE: Classes(("voice", "audio")),
    Kind.AUDIO: Classes(("audio",)),
    Kind.PICTURES: Classes(("capture",), ("endoscopic", "photographic", "ultrasound")),
    Kind.DOCUMENT: Classes(("pdf",)),
    Kind.OTHER: Classes(()),
}
