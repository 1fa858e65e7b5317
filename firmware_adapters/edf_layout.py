"""Which signal of an EDF or BDF file goes where: one multiplex group for each kind and sampling rate. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from firmware_adapters import edf_signals
from firmware_adapters.edf_header import Header
from gateway import fields
from gateway.errors import Unreadable
from gateway.fields import setting
from gateway.matching import IDENTIFIERS
from gateway.model import Channel, Kind
from gateway.sop_classes import SIGNALS

_AUTO = "auto"
_LEFT_OUT = "left out"
STATUS = "Status"  # BioSemi's signal of triggers: 16 bits, and 8 of the amplifier's own
_TOLD = re.compile(rf"(?P<label>[^=]{{1,16}})=(?P<kind>{'|'.join(SIGNALS)}|{_LEFT_OUT})(:(?P<name>[^=:]{{1,64}}))?")


def _signal(value: object) -> str:
    if not isinstance(value, str) or _TOLD.fullmatch(value) is None:
        raise ValueError
    return value


@dataclass(frozen=True, slots=True)
class Options:
    """What the files do not tell, or tell otherwise than it is."""

    eeg: str = setting(
        _AUTO,
        fields.choice(_AUTO, "EEG", "SLEEP"),
        "auto = SLEEP if EOG, and EMG or breathing, are recorded with it, else EEG (routine scalp EEG)",
    )
    signals: tuple[str, ...] = setting(
        (),
        fields.many(fields.Check('"LABEL=KIND", "LABEL=KIND:NAME" or "LABEL=left out"', _signal)),
        "what a signal is, by its label in the file: its kind (ECG, EOG, RESPIRATION, ...), and what it shall be "
        'called: "EOG left=EOG:ElL-A1"; what is left out is said in an annotation',
    )
    investigation: str = setting(
        "none", fields.choice("none", *IDENTIFIERS), "what the investigation code of an EDF+ file is, if it decides"
    )
    manufacturer: str = setting("", fields.text(64), "of the device that writes the files")
    model: str = setting("", fields.text(64), "of the device; else the equipment that an EDF+ file names")
    serial: str = setting("", fields.text(64), "of the device")


@dataclass(slots=True)
class Group:
    """One multiplex group: where its channels stand in a data record, and how far it is."""

    kind: Kind
    per_record: int  # samples of each channel
    rate: Fraction  # Hz
    offsets: list[int] = field(default_factory=list)  # of each channel, in samples from the begin of the data record
    channels: list[Channel] = field(default_factory=list)
    position: int = 0  # samples so far, missing ones included


@dataclass(slots=True)
class Layout:
    """What is where in a data record; offsets and lengths are in samples."""

    header: Header
    groups: list[Group] = field(default_factory=list)
    annotations: list[tuple[int, int]] = field(default_factory=list)
    status: tuple[int, int] | None = None
    of_label: dict[str, int] = field(default_factory=dict)  # label -> group
    words: list[tuple[Kind | None, str]] = field(default_factory=list)  # what to tell, of one kind or of all

    @property
    def firsts(self) -> list[tuple[int, Group]]:
        """The first group of each kind."""
        kinds = [group.kind for group in self.groups]
        return [(index, group) for index, group in enumerate(self.groups) if kinds.index(group.kind) == index]

    def places(self, text: str) -> list[tuple[int, Group]]:
        """Where an annotation stands: "Apnea@@Resp nasal" is of that signal, others of every kind."""
        _, at, label = text.rpartition("@@")
        if not at or label not in self.of_label:
            return self.firsts
        return [(self.of_label[label], self.groups[self.of_label[label]])]

    def group(self, kind: Kind, per_record: int) -> int:
        for number, group in enumerate(self.groups):
            if group.kind is kind and group.per_record == per_record:
                return number
        self.groups.append(Group(kind, per_record, Fraction(per_record) / self.header.duration))
        return len(self.groups) - 1


def lay_out(header: Header, options: Options) -> Layout:
    """In the order of the file. Raises Unreadable for a file without any signal."""
    told = {found["label"]: found for text in options.signals if (found := _TOLD.fullmatch(text))}
    kinds = {label: Kind(found["kind"]) for label, found in told.items() if found["kind"] != _LEFT_OUT}
    ordinary = [edf_signals.kind_of(s.label, kinds) for s in header.signals if not s.annotations]
    if not ordinary:
        raise Unreadable("it holds annotations and no signal", "they can only be sent with the signals they are about")
    asleep = options.eeg == "SLEEP" or (options.eeg == _AUTO and edf_signals.asleep(ordinary))
    layout, offset = Layout(header), 0
    remarks: dict[tuple[Kind, str], list[str]] = {}
    for signal in header.signals:
        at, offset = offset, offset + signal.samples
        if signal.annotations:
            layout.annotations.append((at, signal.samples))
        elif signal.label == STATUS and header.width == 3 and STATUS not in told:
            layout.status = (at, signal.samples)
        elif signal.label in told and signal.label not in kinds:
            layout.words.append((None, f"{signal.label}: left out, as configured"))
        else:
            kind = edf_signals.kind_of(signal.label, kinds)
            kind = Kind.SLEEP if asleep and kind is Kind.EEG else kind
            number = layout.group(kind, signal.samples)
            called = told[signal.label]["name"] if signal.label in told else None
            layout.groups[number].offsets.append(at)
            layout.groups[number].channels.append(edf_signals.channel(signal, 8 * header.width, called))
            layout.of_label[signal.label] = number
            for remark in filter(None, (signal.transducer, edf_signals.untold(signal))):
                remarks.setdefault((kind, remark), []).append(signal.label)
    if not layout.groups:
        raise Unreadable("every signal in it is left out by the configuration", "correct 'signals' of the device")
    layout.words += [(kind, f"{remark}: {', '.join(labels)}") for (kind, remark), labels in remarks.items()]
    return layout
