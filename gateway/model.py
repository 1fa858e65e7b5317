"""The vocabulary that all stages share: frozen, plain data, in the standard's words.

Units are stated in each field's comment. Everything here can be turned into JSON and back with
:func:`to_json` and :func:`from_json`, because facts and exams are kept as small JSON files beside the data.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


class Kind(StrEnum):
    """What is measured. The IOD follows from it, the configuration and the duration."""

    ECG = "ECG"
    HEMODYNAMIC = "HEMODYNAMIC"  # pressures in vessels and heart, with a surface ECG or without
    ELECTROPHYSIOLOGY = "ELECTROPHYSIOLOGY"  # intracardiac electrograms
    PULSE = "PULSE"  # arterial pulse, plethysmogram
    RESPIRATION = "RESPIRATION"
    EEG = "EEG"
    SLEEP = "SLEEP"  # EEG of a polysomnogram
    EMG = "EMG"
    EOG = "EOG"
    POSITION = "POSITION"  # of the body
    VOICE = "VOICE"  # speech about the patient
    AUDIO = "AUDIO"  # any other sound: heart, lung, Doppler
    PICTURES = "PICTURES"  # stills and clips
    DOCUMENT = "DOCUMENT"  # a report: a PDF file as the one frame
    OTHER = "OTHER"  # what no class of the standard is for: kept, and held by name


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 section 8): Code Value, Coding Scheme Designator, Code Meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a multiplex group, as the device delivers it.

    Physical value = sample x sensitivity + baseline, in ``unit`` (PS3.3 C.10.9.1.4.2: the baseline is in
    the unit, not in samples).
    """

    label: str  # what the technician calls it: "II", "V1", "Respiration"
    unit: str  # UCUM code of CID 3082 (channel sensitivity units): "uV", "mV", "Ohm", "1"
    sensitivity: float  # units per count
    baseline: float = 0.0  # units
    bits: int = 24  # significant bits of a sample as delivered, sign included
    low_cut: float | None = None  # Hz, high-pass edge of the device's own filter
    high_cut: float | None = None  # Hz, low-pass edge
    notch: float | None = None  # Hz
    source: Code | None = None  # Channel Source; None: the label names it
    reference: str = ""  # label of the electrode that it is measured against ("A1", "Cz"); "": not told
    skew: float = 0.0  # seconds that its samples lie behind the group's time (Channel Time Skew)


@dataclass(frozen=True, slots=True)
class MultiplexGroup:
    """Channels that are sampled together at one rate (PS3.3 C.10.9.1)."""

    label: str
    rate: float  # Hz
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The frames of an image source, as the device delivers them; all of one acquisition are alike."""

    encoding: str  # of each :class:`gateway.events.Frame`: "MJPEG", "YUYV", "NV12", "RGB24", "H264", ...; or "PDF"
    columns: int  # 0, and rows too: of a document
    rows: int
    rate: float = 0.0  # frames per second as announced; 0 = one still
    aspect: tuple[int, ...] = (1, 1)  # pixel aspect ratio, vertical and horizontal, as in (0028,0034)
    matrix: str = "BT.601"  # of YCbCr: "BT.601" or "BT.709"
    full_range: bool = False  # YCbCr uses 0..255, not 16..235/240


@dataclass(frozen=True, slots=True)
class Equipment:
    """Who made the device: General Equipment module (PS3.3 C.7.5.1) of what it records."""

    manufacturer: str
    model: str
    serial: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, as well as the box knows it."""

    wall: float  # seconds since the epoch, UTC
    monotonic: float  # seconds of this boot's monotonic clock
    boot: str  # boot id: monotonic times compare only within one
    trusted: bool  # whether the wall clock was synchronized at that moment


@dataclass(frozen=True, slots=True)
class Facts:
    """What must be known to wrap an acquisition, written before its first sample."""

    acquisition: str  # id, and the folder's name
    root_uid: str  # the UID from which the instance UIDs derive
    device: str  # the device's name in the configuration
    adapter: str
    adapter_version: str
    kind: Kind
    equipment: Equipment
    groups: tuple[MultiplexGroup, ...]
    exam: str | None  # exam id, or nobody's
    number: int  # 1-based: this device's n-th acquisition in the exam
    started: Instant
    test: bool = False  # a simulated or test recording, not of a patient
    picture: Picture | None = None  # of an image source
    taken: Instant | None = None  # when the box got it, if ``started`` is by the device's own clock (of a file, say)
    siblings: tuple[str, ...] = ()  # ids of all acquisitions that the same file became, this one among them
    version: int = 2  # 1 had no pictures, no files, and nothing of a channel from its source on

    @property
    def noted(self) -> Instant:
        """When it came, by the box's own clock."""
        return self.taken or self.started

    @property
    def streams(self) -> int:
        """How many END counts: each multiplex group, and behind them the frames of an image source."""
        return len(self.groups) + (self.picture is not None)


class Attributed(StrEnum):
    """How an exam came to its patient."""

    SCHEDULED = "scheduled"  # a worklist item was chosen
    MANUAL = "manual"  # identity entered by a person
    EMERGENCY = "emergency"  # started without an identity, under a generated one
    NOBODY = "nobody"  # unattributed: held


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose the recording is. ``item`` is a worklist item, or the entered identity, as DICOM JSON (PS3.18 F)."""

    how: Attributed
    item: dict[str, Any]
    at: Instant
    source: str = ""  # name of the RIS whose item it is
    more: tuple[dict[str, Any], ...] = ()  # further items that one exam is for (group case), of the same patient

    @property
    def items(self) -> tuple[dict[str, Any], ...]:
        """All worklist items, the first one first."""
        return (self.item, *self.more)


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of the performed procedure step: COMPLETED, or DISCONTINUED with a reason (CID 9300)."""

    status: str
    at: Instant
    reason: Code | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """What an exam corrects: another one that was given to the wrong patient, or under a wrong identity."""

    exam: str  # id of that exam
    attribution: Attribution  # whose it had been taken for
    study_uid: str
    at: Instant
    why: str = ""  # in a person's words


@dataclass(frozen=True, slots=True)
class Exam:
    """The performed procedure step, as it is kept in its folder."""

    exam: str  # id, and the folder's name; Performed Procedure Step ID (SH, at most 16 characters)
    step_uid: str  # SOP Instance UID of the MPPS
    study_uid: str
    devices: tuple[str, ...]
    opened: Instant
    attribution: Attribution
    closed: Closing | None = None
    operator: str = ""
    corrects: Correction | None = None
    version: int = 2  # 1 had no source, no more than one item and no correction


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """What identifies a stored instance to a peer (PS3.4 J): class and UID, and where its bytes are."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    path: str  # absolute path of the Part 10 file
    size: int = field(default=0)  # bytes
    sha256: str = ""  # of the file as it was written, hexadecimal; "" = nobody knows


def to_json(value: Any) -> Any:
    """A model object as plain JSON data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    return value


def from_json(kind: type[T], data: Any) -> T:
    """The model object of ``kind`` that :func:`to_json` made ``data`` of.

    Raises ValueError naming the field when one is missing, unknown or of another type.
    """
    return typing.cast("T", _read(kind, data, kind.__name__))


# Working them out takes longer than reading a file, and after the loss of a ledger 100 000 are read.
_hints = functools.cache(typing.get_type_hints)


def _read(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        return _read(next(a for a in typing.get_args(kind) if a is not type(None)), data, where)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        if not isinstance(data, list):
            raise ValueError(f"{where}: expected a list")
        return tuple(_read(inner, v, f"{where}[{i}]") for i, v in enumerate(data))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise ValueError(f"{where}: expected an object")
        hints = _hints(kind)
        known = {f.name: f for f in dataclasses.fields(kind)}
        if unknown := set(data) - set(known):
            raise ValueError(f"{where}: unknown field {sorted(unknown)[0]!r}")
        for name, f in known.items():
            required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
            if name not in data and required:
                raise ValueError(f"{where}: field {name!r} is missing")
        read: Any = kind  # mypy cannot know its fields
        return read(**{k: _read(hints[k], v, f"{where}.{k}") for k, v in data.items()})
    if kind is Any or origin is dict:
        return data
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(data)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise ValueError(f"{where}: expected {kind.__name__}, found {type(data).__name__}")
    return data
