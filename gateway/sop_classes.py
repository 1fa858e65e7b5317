"""TABLES of the SOP classes that this box writes, by the word that the configuration has for each (PS3.6 annex A)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Kind

_WAVEFORM = "1.2.840.10008.5.1.4.1.1.9."
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
}


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
    Kind.PICTURES: Classes(()),
    Kind.OTHER: Classes(()),
}
