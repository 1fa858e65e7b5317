"""What the signals of an EDF or BDF file are, by what they are called: kind, unit, filters, reference.

The words are EDF+'s standard texts ("EEG Fpz-Cz", "Resp oro-nasal") and what sleep and EEG laboratories write. A label
that is in no row is of no kind that a class of the standard is for (:attr:`gateway.model.Kind.OTHER`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from firmware_adapters.edf_header import Signal
from gateway.model import Channel, Code, Kind

_SATURATION = Code("128435000", "SCT", "Hemodynamic oxygen saturation waveform")
_TEMPERATURE = Code("128437008", "SCT", "Temperature waveform")
# Electrodes of the 10-20 and 10-10 systems, ears and mastoids; a pair of them is a derivation.
_ELECTRODE = r"(fp|af|f|ft|fc|c|t|tp|cp|p|po|o|i|a|m|pg|sp)(z|\d{1,2})"
# label, whole and blind to case -> kind and, where the label says it, what CID 3003 calls it; the first that fits
ROWS: tuple[tuple[str, Kind, Code | None], ...] = (
    (r"(eeg\b|(ieeg|seeg|ecog)\b).*", Kind.EEG, None),
    (r"(ecg|ekg)(\b|\d).*", Kind.ECG, None),
    (r"(eog\b|loc\b|roc\b|e[12]\b).*", Kind.EOG, None),
    (r"(emg|chin|(l|r|left|right)?[ -]?leg)(\b|\d).*|.*\b(emg|submental|tibialis)\b.*", Kind.EMG, None),
    (r"(resp\w*|thor\w*|chest|abd\w*|(air)?flow|nasal|thermistor)\b.*", Kind.RESPIRATION, None),
    (r"((n|c|bi)pap|ptaf|cannula|(et|tc)?co2)\b.*", Kind.RESPIRATION, None),
    (r"(sao2|spo2|osat)\b.*", Kind.HEMODYNAMIC, _SATURATION),
    (r"temp\b.*", Kind.HEMODYNAMIC, _TEMPERATURE),
    (r"bp\b.*", Kind.HEMODYNAMIC, None),
    (r"(pleth|ppg)\w*", Kind.PULSE, None),
    (r"(sound|snor\w*|microphone|mic)\b.*", Kind.AUDIO, None),
    (rf"{_ELECTRODE}(\s*[-/:]\s*({_ELECTRODE}|ref|avg?|le|[am]1\+?[am]2))?", Kind.EEG, None),
)
_ROWS = tuple((re.compile(pattern, re.IGNORECASE), kind, source) for pattern, kind, source in ROWS)
# Physical dimension -> UCUM. What is in no row stays as it is, and is held by name when it is wrapped.
_AS_WRITTEN = ("nV", "uV", "mV", "V", "Ohm", "kOhm", "%", "mA", "W", "Pa", "hPa", "kPa", "deg", "K", "s", "ms", "dB")
UNITS: Mapping[str, str] = {
    unit.casefold(): unit for unit in (*_AS_WRITTEN, "L", "mL", "L/s", "L/min", "mL/s", "m/s2")
} | {
    "µv".casefold(): "uV",  # its micro sign becomes a Greek mu
    "lpm": "L/min",
    "degc": "Cel",
    "°c": "Cel",
    "c": "Cel",
    "mmhg": "mm[Hg]",
    "cmh2o": "cm[H2O]",
    "ppm": "[ppm]",
    "g": "[g]",
    "bpm": "{beats}/min",
    "": "1",
}
_FILTER = re.compile(r"\b(HP|LP|N)\s*[:=]?\s*(\d+\.?\d*|\.\d+)\s*(k?)(Hz)?\b", re.IGNORECASE)
_NOTHING = re.compile(r"\b(HP|LP|N)\s*[:=]?\s*(DC|none|off)?(?!\w)", re.IGNORECASE)  # a filter that is not there


def kind_of(label: str, told: Mapping[str, Kind]) -> Kind:
    """``told`` is what the configuration says, by label."""
    if label in told:
        return told[label]
    return next((kind for pattern, kind, _ in _ROWS if pattern.fullmatch(label.strip())), Kind.OTHER)


def asleep(kinds: Sequence[Kind]) -> bool:
    """Whether a file is a polysomnogram: EEG with eye movements, and muscle tone or breathing. Routine EEG has an ECG
    and an EOG beside it often, and seldom the third."""
    return Kind.EEG in kinds and Kind.EOG in kinds and (Kind.EMG in kinds or Kind.RESPIRATION in kinds)


def channel(signal: Signal, bits: int, called: str | None = None) -> Channel:
    """As the file has it: label whole, scale and offset exact to the last digit of a float. ``called`` by a person."""
    filters = {found[1].upper(): _hertz(found) for found in _FILTER.finditer(signal.prefiltering)}
    label = called or signal.label or "unnamed"
    return Channel(
        label=label,
        unit=UNITS.get(signal.dimension.casefold(), signal.dimension),
        sensitivity=signal.gain,
        baseline=signal.offset,
        bits=bits,
        low_cut=filters.get("HP"),
        high_cut=filters.get("LP"),
        notch=filters.get("N"),
        source=next((code for pattern, _, code in _ROWS if pattern.fullmatch(label)), None),
        reference=reference(label),
    )


def reference(label: str) -> str:
    """What stands behind the minus of "EEG Fpz-Cz"; "" if there is none, or if it is only a word ("oro-nasal")."""
    _, minus, behind = label.rpartition("-")
    names = re.fullmatch(rf"\s*({_ELECTRODE}|[AM]1\s*[+/]?\s*[AM]2)\s*", behind, re.IGNORECASE)
    return behind.strip() if minus and names else ""


def untold(signal: Signal) -> str:
    """What of the prefiltering the three numbers of a channel do not tell, such as "Rectification"."""
    return " ".join(_NOTHING.sub(" ", _FILTER.sub(" ", signal.prefiltering)).split()).strip(" ;,")


def _hertz(found: re.Match[str]) -> float:
    return float(found[2]) * (1000 if found[3] else 1)
