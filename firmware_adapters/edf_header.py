"""The header of EDF, EDF+, BDF and BDF+ files: what it says, field by field, and how long the file must be.

256 bytes about the recording, then 256 for each signal, all fields of fixed length in ASCII (Kemp et al. 1992, EDF+ of
2003; BDF is BioSemi's, with 24-bit samples). Every complaint names the byte. Pure: no file is opened here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from gateway.errors import Unreadable

HEAD = 256  # bytes: of the first part, and for each signal
LARGEST_RECORD = 16 << 20  # bytes; EDF recommends at most 61 440
MOST_SIGNALS = 2048
BDF = b"\xffBIOSEMI"
ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_WHOLE, _NUMBER = re.compile(r"[+-]?\d{1,8}"), re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# Of each signal, one field after the other, each for all signals: length in bytes.
FIELDS = {
    "label": 16,
    "transducer": 80,
    "dimension": 8,
    "physical minimum": 8,
    "physical maximum": 8,
    "digital minimum": 8,
    "digital maximum": 8,
    "prefiltering": 80,
    "number of samples": 8,
    "reserved": 32,
}


@dataclass(frozen=True, slots=True)
class Signal:
    """One ordinary signal, or one of annotations. Physical = sample x ``gain`` + ``offset``, in ``dimension``."""

    label: str
    transducer: str
    dimension: str
    gain: float
    offset: float
    prefiltering: str
    samples: int  # in one data record

    @property
    def annotations(self) -> bool:
        return self.label in ANNOTATIONS


@dataclass(frozen=True, slots=True)
class Header:
    """``plus`` is "" for plain EDF or BDF, "C" for a continuous and "D" for a discontinuous file with annotations."""

    width: int  # bytes of one sample: 2, or 3 for BDF
    plus: str
    patient: str  # local patient identification
    recording: str  # local recording identification
    start: datetime | None  # in local time without a zone; None: the file does not tell (it was made anonymous)
    records: int  # data records; -1: it was not finished
    duration: Fraction  # of one data record, seconds
    signals: tuple[Signal, ...]

    @property
    def length(self) -> int:
        """Bytes of the header."""
        return HEAD * (len(self.signals) + 1)

    @property
    def record(self) -> int:
        """Bytes of a data record."""
        return self.width * sum(signal.samples for signal in self.signals)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.length + self.records * self.record


def length(head: bytes) -> int:
    """Bytes of the header, by its first 256. Raises Unreadable for what is neither EDF nor BDF."""
    if head[:8] != BDF and head[:8].strip(b" \x00") != b"0":
        raise Unreadable("byte 0: it is no EDF or BDF file", "is it the right folder, and the right adapter?")
    signals = _whole(head, 252, 4, "number of signals")
    if not 1 <= signals <= MOST_SIGNALS:
        raise Unreadable(f"byte 252: {signals} signals, at most {MOST_SIGNALS} are read", "have it exported anew")
    found = HEAD * (signals + 1)
    if (told := _whole(head, 184, 8, "length of the header")) != found:
        raise Unreadable(
            f"byte 184: the header is {told} bytes long by its own word, but {signals} signals make it {found}",
            "have it exported anew",
        )
    return found


def parse(data: bytes) -> Header:
    """The header in the first :func:`length` bytes of a file. Raises Unreadable, naming field and byte."""
    is_bdf = data[:8] == BDF
    reserved = _text(data, 192, 44)
    plus = reserved[4:5] if reserved[:5] in ("EDF+C", "EDF+D", "BDF+C", "BDF+D") else ""
    recording = _text(data, 88, 80)
    duration = _number(data, 244, 8, "duration of a data record")
    records = _whole(data, 236, 8, "number of data records")
    signals = tuple(_signals(data, length(data) // HEAD - 1))
    if records < -1:
        raise Unreadable(f"byte 236: {records} data records", "have it exported anew")
    header = Header(
        width=3 if is_bdf else 2,
        plus=plus,
        patient=_text(data, 8, 80),
        recording=recording,
        start=_start(data, recording),
        records=records,
        duration=duration,
        signals=signals,
    )
    if duration < 0 or (duration == 0 and any(not signal.annotations for signal in signals)):
        raise Unreadable("byte 244: data records with signals last no time", "have it exported anew")
    if header.record > LARGEST_RECORD:
        raise Unreadable(f"a data record has {header.record} bytes, at most {LARGEST_RECORD} are read", "cut it in two")
    return header


def _signals(data: bytes, count: int) -> list[Signal]:
    columns: dict[str, list[int]] = {}
    at = HEAD
    for field, size in FIELDS.items():
        columns[field] = [at + number * size for number in range(count)]
        at += count * size
    return [_signal(data, {field: places[number] for field, places in columns.items()}) for number in range(count)]


def _signal(data: bytes, places: dict[str, int]) -> Signal:
    def number(field: str) -> Fraction:
        return _number(data, places[field], FIELDS[field], field)

    label = _text(data, places["label"], FIELDS["label"])
    low, high = (_whole(data, places[f], FIELDS[f], f) for f in ("digital minimum", "digital maximum"))
    least, most = number("physical minimum"), number("physical maximum")
    samples = _whole(data, places["number of samples"], 8, "number of samples")
    if samples < 1:
        raise Unreadable(f"byte {places['number of samples']}: a signal of {samples} samples", "have it exported anew")
    gain = offset = Fraction(0)
    if label not in ANNOTATIONS:
        if low == high or least == most:
            field = "digital maximum" if low == high else "physical maximum"
            raise Unreadable(f"byte {places[field]}: {field} and minimum are the same", "have it exported anew")
        gain = (most - least) / (high - low)
        offset = least - low * gain
    transducer, dimension, prefiltering = (
        _text(data, places[field], FIELDS[field]) for field in ("transducer", "dimension", "prefiltering")
    )
    return Signal(label, transducer, dimension, float(gain), float(offset), prefiltering, samples)


def _text(data: bytes, at: int, size: int) -> str:
    """Printable ASCII by the specification; a micro sign, or a name, is written in whatever the program had."""
    raw = data[at : at + size].strip(b" \x00")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _whole(data: bytes, at: int, size: int, what: str) -> int:
    text = _text(data, at, size)
    if not _WHOLE.fullmatch(text):
        raise Unreadable(f"byte {at}: {what} is {text!r}, which is no whole number", "have it exported anew")
    return int(text)


def _number(data: bytes, at: int, size: int, what: str) -> Fraction:
    text = _text(data, at, size)
    if not _NUMBER.fullmatch(text):
        raise Unreadable(f"byte {at}: {what} is {text!r}, which is no number", "have it exported anew")
    return Fraction(text)


def _start(data: bytes, recording: str) -> datetime | None:
    """Start date and time. EDF+ tells the year in full in "Startdate DD-MMM-YYYY"; an X there, or the first day of
    1985, is what programs write who take the date out."""
    date, time = _text(data, 168, 8), _text(data, 176, 8)
    found = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d\d) (\d\d)\.(\d\d)\.(\d\d)", f"{date} {time}")
    if found is None:
        raise Unreadable(
            f"byte 168: start date and time are {date!r} and {time!r}, not dd.mm.yy and hh.mm.ss", "export it anew"
        )
    day, month, year, hour, minute, second = map(int, found.groups())
    year += 1900 if year >= 85 else 2000
    words = recording.split()
    if words[:1] == ["Startdate"] and len(words) > 1:
        if words[1] == "X":
            return None
        if full := re.fullmatch(r"(\d\d)-([A-Za-z]{3})-(\d{4})", words[1]):
            if full[2].upper() not in _MONTHS:
                raise Unreadable(f"byte 88: there is no month {full[2]!r}", "export it anew")
            day, month, year = int(full[1]), _MONTHS.index(full[2].upper()) + 1, int(full[3])
    elif (day, month, year) == (1, 1, 1985):
        return None
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise Unreadable(f"byte 168: there is no {date} {time}", "export it anew") from None
