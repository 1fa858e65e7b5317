"""The header of one instance's file, as far as its directory records need it (PS3.10 section 7.1)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Held
from gateway.transfer.lossless import OTHERWISE_ENCODED
from gateway.transfer.media.dicomdir.elements import Element, Malformed, Window, element_at, elements, encode
from gateway.transfer.media.dicomdir.records_table import (
    EXPLICIT_LITTLE,
    KEYS,
    RECORD_TYPE,
    WANTED,
    Key,
)

_LONGEST = 64 << 10  # bytes of one key's value; nothing that belongs into a directory is longer
_LAST = max(WANTED)
_NUMBERS = frozenset({b"US", b"UL", b"SS", b"SL", b"FL", b"FD"})
_FIX = "it stays in the spool; only objects that fit the STD-GEN media profiles go to a medium"


@dataclass(frozen=True, slots=True)
class Header:
    """One instance: identity, and the raw values of the attributes that directory keys are made of."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    record_type: str
    values: dict[int, bytes]  # tag -> value as encoded, without padding; sequences whole

    def text(self, tag: int) -> str:
        """A value in the default repertoire (UIDs, dates, codes)."""
        return self.values.get(tag, b"").decode("ascii", "replace")

    @property
    def patient_id(self) -> bytes:
        """Patient ID, supplied if the instance has none: two of those must not meet in one record."""
        found = self.values.get(0x00100020, b"")
        return found or b"NO-ID-" + hashlib.sha256(self.values.get(0x0020000D, b"")).hexdigest()[:16].upper().encode()

    def keys(self, record_type: str) -> bytes:
        """The encoded keys of one of this instance's records, ascending, with Specific Character Set (1C)."""
        chosen = [(key, self._value(key)) for key in KEYS[record_type]]
        present = [(key, value) for key, value in chosen if value or key.type != "1C"]
        body = b"".join(encode(key.tag, key.vr, value) for key, value in present)
        repertoire = self.values.get(0x00080005, b"")
        extended = any(byte >= 0x80 or byte == 0x1B for _key, value in present for byte in value)
        if not (extended and repertoire):
            return body
        at = sum(len(encode(k.tag, k.vr, v)) for k, v in present if k.tag < 0x00080005)
        return body[:at] + encode(0x00080005, b"CS", repertoire) + body[at:]

    def _value(self, key: Key) -> bytes:
        if key.tag == 0x00100020:
            return self.patient_id
        for tag in (key.tag, *key.instead):
            if value := self.values.get(tag, b""):
                return _part(value, key.vr) if tag == 0x0008002A and key.tag != tag else value
        return key.supply


def _part(date_time: bytes, vr: bytes) -> bytes:
    """Date or time of a DT value; empty if it has none."""
    return date_time[:8] if vr == b"DA" else date_time[8:].split(b"+")[0].split(b"-")[0]


def read_header(path: Path) -> Header:
    """Read what a directory needs of a Part 10 file; bulk data is never touched.

    Raises Held if it is no sound file, or no directory record can be made of it. Whether its transfer syntax fits
    the file-set's profile is asked elsewhere (:mod:`gateway.transfer.media.profiles`).
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return header_in(Window(descriptor), path)
    finally:
        os.close(descriptor)


def header_in(source: Window, path: Path) -> Header:
    """The same of a file that is open already; ``path`` is its name in messages."""
    try:
        return _read(source, path)
    except Malformed as error:
        raise Held(f"{path} is no sound DICOM file: {error}", _FIX) from error


def _read(source: Window, path: Path) -> Header:
    if source.read(0, 132)[128:] != b"DICM":
        raise Malformed("there is no DICM at 128")
    length = element_at(source, 132, source.size)
    if length.tag != 0x00020000 or length.length != 4:
        raise Malformed("the file meta information does not start with its length")
    start = length.end + int.from_bytes(source.read(length.value, 4), "little")
    if start - length.end > _LONGEST:
        raise Malformed(f"the file meta information says {start - length.end} bytes")
    meta = {e.tag: source.read(e.value, e.length).rstrip(b"\0 ") for e in elements(source, length.end, start)}
    syntax = meta.get(0x00020010, b"").decode("ascii", "replace")
    if syntax in OTHERWISE_ENCODED:
        raise Held(f"{path} has transfer syntax {syntax}, which is not read here", _FIX)
    values: dict[int, bytes] = {}
    for element in elements(source, start, source.size, last=_LAST):
        if element.tag in WANTED:
            values[element.tag] = _value_of(source, element)
    kind = RECORD_TYPE.get(values.get(0x00080016, b"").decode("ascii", "replace"), "")
    found = Header(
        sop_class_uid=values.get(0x00080016, b"").decode("ascii", "replace"),
        sop_instance_uid=values.get(0x00080018, b"").decode("ascii", "replace"),
        transfer_syntax_uid=syntax,
        record_type=kind,
        values=values,
    )
    _check(found, meta, path)
    return found


def _value_of(source: Window, element: Element) -> bytes:
    _tag, vr, value, length, end = element
    if end - value > _LONGEST:
        raise Malformed(f"at {value}: {end - value} bytes are too long for a directory key")
    if vr == b"SQ":  # as items without the delimiter: it is written back with a defined length
        return source.read(value, end - value if length == end - value else end - value - 8)
    raw = source.read(value, length)
    return raw if vr in _NUMBERS else raw.strip(b" \0")


def _check(found: Header, meta: dict[int, bytes], path: Path) -> None:
    if not found.record_type:
        raise Held(f"{path}: no directory record type is known for SOP class {found.sop_class_uid!r}", _FIX)
    if found.record_type == "WAVEFORM" and found.transfer_syntax_uid != EXPLICIT_LITTLE:
        raise Held(f"{path}: waveforms go to media in Explicit VR Little Endian only", _FIX)
    if meta.get(0x00020003, b"").decode("ascii", "replace") != found.sop_instance_uid:
        raise Malformed("its file meta information names another SOP Instance")
    for record in ("STUDY", "SERIES", found.record_type):
        for key in KEYS[record]:
            if key.type == "1" and not found._value(key):
                raise Held(f"{path} lacks {key.keyword}, which its directory record requires", _FIX)
