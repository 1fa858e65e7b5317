"""Which class a recording becomes: what was measured, what the configuration asks for, how long it is."""

from __future__ import annotations

from gateway.dicom.definition import Iod, Shape, foreign_leads, violations
from gateway.dicom.iods import TABLE
from gateway.errors import Held
from gateway.model import Kind
from gateway.sop_classes import BY_KIND, Classes


def choose(kind: Kind, wanted: str, shapes: tuple[Shape, ...], acquisition: str, ambulatory_after: float = 0.0) -> Iod:
    """The IOD for groups of these shapes.

    "auto" takes the first of :data:`gateway.sop_classes.BY_KIND` that they fit into. Of an ECG that is 12-Lead ECG;
    else, of a recording of more than ``ambulatory_after`` minutes (0: of none), Ambulatory ECG before General ECG; else
    General before Ambulatory. Raises Held naming each limit that is broken, or the classes for what was measured.
    """
    classes = BY_KIND.get(kind, Classes(()))
    if not classes.every:
        labels = ", ".join(label or "a signal without a label" for shape in shapes for label in shape.labels)
        raise Held(
            f"acquisition {acquisition}: no waveform class of the standard is for {labels}",
            "if it is of a kind that there is a class for, say so by 'signals' of the device before its next file",
        )
    if wanted != "auto" and wanted not in classes.every:
        raise Held(
            f"acquisition {acquisition} is of the kind {kind}, which does not become {TABLE[wanted].label}",
            f"set the device's 'iod' to one of auto, {', '.join(classes.every)}, and rewrap it",
        )
    if wanted == "auto":
        long = ambulatory_after and max(s.samples / s.rate for s in shapes) > ambulatory_after * 60
        order = classes.long if long and classes.long else classes.auto
        wanted = next((key for key in order if not _broken(TABLE[key], shapes, auto=True)), classes.widest)
    row = TABLE[wanted]
    if broken := _broken(row, shapes):
        words = f"acquisition {acquisition} does not fit {row.label}: {'; '.join(broken)}"
        if kind is Kind.ECG:
            raise Held(words, "set another 'iod' for the device (general-32 has the widest limits) and rewrap it")
        others = [key for key in classes.every if key != row.key]
        instead = f'iod = "{" or ".join(others)}" for the device may carry it' if others else "no other class is for it"
        raise Held(words, f"{instead}; what it may have is in PS3.3 {row.section}")
    return row


def _broken(row: Iod, shapes: tuple[Shape, ...], auto: bool = False) -> list[str]:
    broken = violations(row.waveform, shapes)
    if foreign := foreign_leads(row.waveform, shapes):
        broken.append(f"{', '.join(foreign)} are none of its leads")
    if auto and row.waveform.only_bits is not None and any(s.bits > row.waveform.only_bits for s in shapes):
        broken.append(f"its samples have {row.waveform.only_bits} bits")
    return broken
