"""Channel sources: from what a channel is called to what it is coded as (``tables/sources.txt``), and its reference.

How people write a name does not matter: "Fp1", "EEG FP1" and "fp1" are one electrode, and so are "Musculus tibialis
anterior, left" and "left tibialis anterior" one muscle. What a name does not say is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gateway.dicom import leads
from gateway.dicom.definition import Iod
from gateway.errors import Held
from gateway.model import Channel, Code, Kind

_FILE = Path(__file__).parent / "tables" / "sources.txt"
_SIDES = ("", ", left", ", right")
_SAID = frozenset(
    ("eeg", "emg", "eog", "ep", "lead", "waveform", "musculus", "musculi", "muscle", "nervus", "nervi", "nerve")
)  # words that tell no source from another
_PLACE = re.compile(r"\s+(\d+(-\d+)?|[dmp]|dist|prox|mid)$|(?<=\D)\d+-\d+$", re.IGNORECASE)  # on a catheter
_PAIR = re.compile(r"\d+-\d+$")
_UNTOLD = frozenset({"", "ref", "ref.", "reference"})
PATIENT_POSITION = Code("130410", "DCM", "Patient position")  # of CID 3034: codes, not a measurement
DIFFERENTIAL = Code("109006", "DCM", "Differential signal")  # of CID 3240
# What a channel is whose name says nothing more, where the kind of measurement says it
OF_KIND: dict[Kind, tuple[str, str]] = {
    Kind.HEMODYNAMIC: ("3003", "Hemodynamic waveform"),
    Kind.PULSE: ("3004", "Arterial Pulse Waveform"),
    Kind.RESPIRATION: ("3005", "Respiration Waveform"),
    Kind.VOICE: ("3000", "Voice"),
    Kind.AUDIO: ("3000", "Physiological audio signal"),
}
_SAY = (
    "say by the device's 'montage' what its inputs are (names as in PS3.16, such as Fp1 or Cz-A1), and release it; "
    "or its adapter must tell the {what}"
)
# Where a channel is looked for that is none of its class: an ECG beside an EEG is coded as what it is
BESIDE = ("3030", "3033", "3031", "3032", "3001", "3005", "3003")


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    meanings: dict[tuple[str, str], str]  # by scheme and code
    named: dict[tuple[str, ...], Code]


@cache
def _groups() -> dict[str, _Group]:
    found = {}
    for block in _FILE.read_text(encoding="utf-8").split("\n\n")[1:]:
        head, *lines = block.splitlines()
        cid, _, group_name = head.partition(" ")
        meanings: dict[tuple[str, str], str] = {}
        named: dict[tuple[str, ...], Code | None] = {}
        for code, names in (one for line in lines for one in _expand(line)):
            meanings[code.scheme, code.value] = code.meaning
            for one in {_key(text) for text in names}:
                named[one] = code if named.get(one, code) == code else None  # of two things: of neither
        found[cid] = _Group(group_name, meanings, {k: code for k, code in named.items() if code})
    return found


def _expand(line: str) -> Iterable[tuple[Code, list[str]]]:
    scheme, value, rest = line.split(None, 2)
    meaning, *others = rest.split(" | ")
    if not value.endswith("+"):
        return [(Code(value, scheme, meaning), [meaning, *others])]
    prefix, _, number = value[:-1].rpartition(":")
    return [
        (Code(f"{prefix}:{int(number) + n}", scheme, meaning + side), [text + side for text in (meaning, *others)])
        for n, side in enumerate(_SIDES)
    ]


def _key(text: str) -> tuple[str, ...]:
    words: list[str] = re.findall(r"[^\s,()]+", text.casefold())
    return tuple(sorted(word for word in words if word not in _SAID)) or tuple(words)


def numbers() -> list[str]:
    """Of the context groups that are here."""
    return list(_groups())


def name(cid: str) -> str:
    return _groups()[cid].name


def codes(cid: str) -> frozenset[tuple[str, str]]:
    """(scheme, code) of each member."""
    return frozenset(_groups()[cid].meanings)


def meaning(cid: str, scheme: str, value: str) -> str:
    """Code Meaning of a member."""
    return _groups()[cid].meanings[scheme, value]


def find(label: str, cids: Iterable[str]) -> Code | None:
    """The source that a label names, in the first of the groups that has it."""
    for text in (label, _PLACE.sub("", label.strip())):
        for cid in cids:
            if cid == "3001":
                found = known.code if (known := leads.lead(text)) else None
            else:
                found = _groups()[cid].named.get(_key(text)) if cid in _groups() else None
            if found is not None:
                return found
    return None


def source(channel: Channel, iod: Iod, kind: Kind) -> Code:
    """Channel Source. Raises Held if neither the device nor the label tells it, nor the kind of measurement."""
    if channel.source is not None:
        return channel.source
    if "3001" in iod.waveform.sources[:1]:
        return leads.source(channel.label)
    cids = (*iod.waveform.sources, *BESIDE)
    cid, of_kind = OF_KIND.get(kind, ("", ""))
    found = find(channel.label, cids) or find(parts(channel.label)[0], cids) or (find(of_kind, [cid]) if cid else None)
    if found is None:
        raise Held(f"channel {channel.label!r} of {iod.label} names no {_said(iod)}", _SAY.format(what="label"))
    return found


def parts(label: str) -> tuple[str, str]:
    """What is measured, and against what, of a label such as "Fp1-F7" or "EEG Fp1-Ref"."""
    measured, _, against = label.strip().rpartition("-")
    return (measured.strip(), against.strip()) if measured.strip() and against.strip() else (label.strip(), "")


def modifiers(channel: Channel, iod: Iod, reference: str) -> list[Code]:
    """Channel Source Modifiers: that it is a difference, and the lead of the reference (PS3.3 A.34.12.4.5 and its kin).

    ``reference``: what the configuration says, for a channel that does not tell. "A1+A2" are both. Raises Held if a
    class that demands the reference cannot have it.
    """
    if not iod.waveform.referenced:
        if iod.key != "electrophysiology" or not (channel.reference or _PAIR.search(channel.label)):
            return []
        other = find(channel.reference, iod.waveform.sources)
        return [DIFFERENTIAL, other] if other else [DIFFERENTIAL]
    pair = "" if find(channel.label, iod.waveform.sources) else parts(channel.label)[1]
    told = (pair, channel.reference, reference)
    against = next((text for text in told if text.strip().casefold() not in _UNTOLD), "")
    if not against:
        raise Held(
            f"channel {channel.label!r}: {iod.label} must name the electrode that it is measured against",
            "set the device's 'reference', such as \"A1\", and release it; or its adapter must tell the reference",
        )
    found = [find(text, (*iod.waveform.sources, *BESIDE)) for text in against.split("+")]
    leads_found = [code for code in found if code is not None]
    if len(leads_found) < len(found):
        raise Held(
            f"channel {channel.label!r} is measured against {against!r}, which names no {_said(iod)}",
            _SAY.format(what="reference"),
        )
    return [DIFFERENTIAL, *leads_found]


def _said(iod: Iod) -> str:
    return " or ".join(f"{name(cid)} (CID {cid})" for cid in iod.waveform.sources if cid in _groups())
