"""What a stream says of itself: its XML description (the XDF project's meta-data for EEG, EMG, audio ...) as ours.

Nothing is guessed: a channel without a unit, an irregular rate or text is refused in words. The description of a
reference and of filters is taken where it stands; what it lacks the device's settings may tell (reference, montage).
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from gateway.acquire.lsl.options import Options
from gateway.errors import Retry
from gateway.events import Started
from gateway.model import Channel, Equipment, Kind, MultiplexGroup

LARGEST = 1 << 20  # characters of a description; 300 channels with their places take 0.2 of it
KINDS = {
    "EEG": Kind.EEG,
    "ECG": Kind.ECG,
    "EKG": Kind.ECG,
    "EMG": Kind.EMG,
    "EOG": Kind.EOG,
    "PPG": Kind.PULSE,
    "RESPIRATION": Kind.RESPIRATION,
    "AUDIO": Kind.AUDIO,
}  # any other type is Kind.OTHER: kept, and held by name
UNITS = {
    "nanovolts": "nV",
    "microvolts": "uV",
    "µv": "uV",  # the micro sign
    "\N{GREEK SMALL LETTER MU}v": "uV",
    "millivolts": "mV",
    "volts": "V",
    "nv": "nV",
    "uv": "uV",
    "mv": "mV",
    "v": "V",
    "percent": "%",
    "celsius": "Cel",
    "normalized": "1",
    "none": "1",
}
_VOLTS = {"nV": 10.0, "uV": 0.01, "mV": 1e-5, "V": 1e-8}  # each is 0.01 uV: an int32 then reaches 21 V
_OTHER = 1e-4
BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 32, "float32": 32, "double64": 32}
FLOATS = ("float32", "double64")


@dataclass(frozen=True, slots=True)
class Described:
    """A stream that can be recorded."""

    started: Started
    columns: tuple[int, ...]  # of its channels, those that are recorded

    @property
    def group(self) -> MultiplexGroup:
        return self.started.groups[0]


def described(text: str, options: Options) -> Described:
    """Raises Retry if it cannot be recorded: another stream, or another setting, may be."""
    top = _parsed(text)
    name, rate, form = top.findtext("name") or "", _number(top, "nominal_srate") or 0.0, top.findtext("channel_format")
    if form not in BITS:
        raise Retry(f"the LSL stream {name!r} is of text, not of samples", "name another one with 'stream'")
    if not rate > 0:
        raise Retry(
            f"the LSL stream {name!r} has no regular sampling rate, so no waveform can be made of it",
            "name another one with 'stream'; events belong in 'markers'",
        )
    found = top.findall("desc/channels/channel")
    count = int(top.findtext("channel_count") or 0)
    if found and len(found) != count:
        raise Retry(f"the LSL stream {name!r} has {count} channels and describes {len(found)}", "correct its program")
    against = _reference(top)
    channels = [
        _channel(found[n] if found else None, str(n + 1), name, form, against, options, _kind(top) is not Kind.OTHER)
        for n in range(count)
        if not found or _label(found[n], "") not in options.leave_out
    ]
    columns = [n for n in range(count) if not found or _label(found[n], "") not in options.leave_out]
    if not channels:
        raise Retry(f"the LSL stream {name!r} has no channel to record", "correct 'leave_out'")
    group = MultiplexGroup(_kind(top).value, rate, tuple(channels))
    source = top.findtext("source_id") or ""
    return Described(Started(_equipment(top, name, source), (group,), kind=_kind(top), source=source), tuple(columns))


def _parsed(text: str) -> ET.Element:
    """It comes from the network: no document type, so that no entity can grow, and of bounded size."""
    if len(text) > LARGEST or "<!" in text:
        raise Retry(
            "the description of the LSL stream is too large, or no plain XML", "correct the program that sends it"
        )
    try:
        return ET.fromstring(text)  # noqa: S314  no entities, bounded
    except ET.ParseError as error:
        raise Retry(
            f"the description of the LSL stream is no XML ({error})", "correct the program that sends it"
        ) from None


def _kind(top: ET.Element) -> Kind:
    return KINDS.get((top.findtext("type") or "").upper(), Kind.OTHER)


def _equipment(top: ET.Element, name: str, source: str) -> Equipment:
    """XDF has it under ``acquisition``; many programs put it right under ``desc``. A source_id is a serial number."""

    def said(*words: str) -> str:
        paths = [f"desc/{above}{word}" for word in words for above in ("acquisition/", "", "amplifier/")]
        return next((t.strip()[:64] for path in paths if (t := top.findtext(path)) and t.strip()), "")

    return Equipment(
        said("manufacturer"),
        said("model") or name[:64],
        said("serial_number", "serial") or source[:64],
        said("software_version", "firmware"),
    )


def _reference(top: ET.Element) -> str:
    labels = [e.text.strip() for e in top.findall("desc/reference/label") if e.text and e.text.strip()]
    return "+".join(labels)


def _label(channel: ET.Element | None, otherwise: str) -> str:
    return ((channel.findtext("label") if channel is not None else None) or otherwise).strip()[:64]


def _channel(
    said: ET.Element | None, number: str, stream: str, form: str, against: str, options: Options, measured: bool
) -> Channel:
    label = _label(said, number)
    word = ((said.findtext("unit") if said is not None else None) or options.unit).strip()
    unit = UNITS.get(word.lower(), UNITS.get(word.lower() + "s", word))
    if not unit and measured:
        raise Retry(
            f"the LSL stream {stream!r} does not tell the unit of its channel {label!r}",
            "let its program say it (desc/channels/channel/unit), or set 'unit' of the device, such as \"uV\"",
        )
    step = 1.0
    if form in FLOATS:
        step = _VOLTS[unit] * (options.step / 0.01 or 1.0) if unit in _VOLTS else options.step or _OTHER
    return Channel(
        label,
        unit or "1",
        step,
        bits=BITS[form],
        low_cut=_number(said, "filtering/highpass/upper"),
        high_cut=_number(said, "filtering/lowpass/lower"),
        notch=_number(said, "filtering/notch/center"),
        reference=(_word(said, "reference") or against)[:64],
    )


def _word(where: ET.Element | None, path: str) -> str:
    return ((where.findtext(path) if where is not None else None) or "").strip()


def _number(where: ET.Element | None, path: str) -> float | None:
    try:
        found = float(_word(where, path))
    except ValueError:
        return None
    return found if 0 < found < 1e9 else None
