"""What the values of a directory record mean to a person: text of any character set, dates, names, kinds of object.

Everything here comes from a medium, so nothing of it is believed: what cannot be decoded is replaced, what would
steer a page or a terminal is taken out, and everything has a longest length. Escaping for HTML is left to the pages.
"""

from __future__ import annotations

import re

from gateway.transfer.media.dicomdir.structure import Record

_CODECS = {  # Specific Character Set without code extensions (PS3.3 C.12.1.1.2) -> Python's codec
    "": "latin-1",
    "ISO_IR 6": "latin-1",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "iso8859_11",
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
# What no page shows: controls, and the marks that turn the direction of writing for all that follows.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]+"
)
_LONGEST = 256
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ROOT = "1.2.840.10008.5.1.4.1.1."

KINDS: dict[str, str] = {  # SOP class below 1.2.840.10008.5.1.4.1.1 -> what people call it
    "9.1.1": "12-lead ECG",
    "9.1.2": "ECG",
    "9.1.3": "Ambulatory ECG",
    "9.1.4": "ECG",
    "9.2.1": "Haemodynamic recording",
    "9.3.1": "Electrophysiology recording",
    "9.4.1": "Voice recording",
    "9.4.2": "Audio recording",
    "9.5.1": "Arterial pulse",
    "9.6.1": "Respiration",
    "9.6.2": "Respiration",
    "9.7.1": "EEG",
    "9.7.2": "EMG",
    "9.7.3": "EOG",
    "9.7.4": "Sleep EEG",
    "9.8.1": "Body position",
    "6.1": "Ultrasound image",
    "3.1": "Ultrasound clip",
    "77.1.1": "Endoscopic image",
    "77.1.1.1": "Endoscopic video",
    "77.1.2": "Microscopic image",
    "77.1.4": "Photograph",
    "77.1.4.1": "Photographic video",
    "104.1": "PDF document",
}
_BY_RECORD = {
    "WAVEFORM": "Recording",
    "IMAGE": "Image",
    "ENCAP DOC": "Document",
    "SR DOCUMENT": "Structured report",
    "KEY OBJECT DOC": "Selection of key objects",
    "PRESENTATION": "Presentation state",
    "RAW DATA": "Raw data",
}


def text(record: Record, tag: int) -> str:
    """A value as text in the record's own character set, on one line."""
    raw = record.values.get(tag, b"")[: 4 * _LONGEST]
    if not raw:
        return ""
    return clean(_decoded(raw, record.values.get(0x00080005, b"").decode("ascii", "replace")))


def clean(value: str) -> str:
    found = " ".join(_UNSEEN.sub(" ", value).split())
    return found if len(found) <= _LONGEST else found[: _LONGEST - 1] + "\u2026"


def _decoded(raw: bytes, repertoire: str) -> str:
    names = [one.strip() for one in repertoire.split("\\")]
    if len(names) == 1 and (codec := _CODECS.get(names[0].replace("ISO 2022 IR ", "ISO_IR "))) and b"\x1b" not in raw:
        return raw.decode(codec, "replace")
    try:  # code extensions (ISO 2022): pydicom knows them, and is loaded only for them
        from pydicom.charset import convert_encodings, decode_bytes  # noqa: PLC0415

        return decode_bytes(raw, convert_encodings(names), {0x5C, 0x5E, 0x3D})
    except Exception:  # a character set that nobody knows
        return raw.decode("ascii", "replace")


def person(record: Record, tag: int = 0x00100010) -> str:
    """A person name as people write it: ``Doe, Jane``; ideographic writing in brackets behind it."""
    groups = [_written(group) for group in text(record, tag).split("=")[:2]]
    found = [group for group in groups if group]
    return f"{found[0]} ({found[1]})" if len(found) == 2 and found[0] != found[1] else "".join(found[:1])


def _written(group: str) -> str:
    parts = [part.strip() for part in group.split("^")] + [""] * 5
    family, given, middle, prefix, suffix = parts[:5]
    rest = " ".join(part for part in (prefix, given, middle, suffix) if part)
    return ", ".join(part for part in (family, rest) if part)


def date(value: str) -> str:
    """``20261123`` as ``23 Nov 2026``; anything else as it is."""
    match = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", value)
    if match is None or not 1 <= int(match[2]) <= 12:
        return value
    return f"{int(match[3])} {_MONTHS[int(match[2]) - 1]} {match[1]}"


def time(value: str) -> str:
    """``093100.25`` as ``09:31``; anything else as it is."""
    match = re.match(r"(\d\d):?(\d\d)", value)
    return f"{match[1]}:{match[2]}" if match else value


def when(record: Record, date_tag: int, time_tag: int) -> str:
    """Date and time; nothing for the date that stands for none (``records_table``)."""
    day = text(record, date_tag)
    if not day or day == "19000101":
        return ""
    return ", ".join(part for part in (date(day), time(text(record, time_tag))) if part)


def moment(value: str) -> str:
    """A DT value as date and time."""
    return ", ".join(part for part in (date(value[:8]), time(value[8:14])) if part)


def kind(record: Record) -> str:
    """What an instance is."""
    sop_class = record.text(0x00041510).removeprefix(_ROOT)
    return KINDS.get(sop_class) or _BY_RECORD.get(record.type) or clean(record.type.capitalize()) or "Object"
