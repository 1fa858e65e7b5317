"""Which scheduled step a device, or a scanner, means by the identifiers that it gives: exactly one, or nobody's.

Pure: values are compared whole, character by character, as the standard's single value matching does (PS3.4 C.2.2.2.1);
only spaces around them do not count (PS3.5 table 6.2-1). "0017" is not "17": a number that lost its zeros may be
another patient's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.step import Item, ScheduledStep, value

# What a device can call a patient or an order by, and where a worklist item has it.
IDENTIFIERS: Mapping[str, tuple[str, ...]] = {
    "patient_id": ("00100020",),
    "accession_number": ("00080050",),
    "order_number": ("00401001", "00402016", "00402017"),  # Requested Procedure ID, placer's, filler's order number
    "step_id": ("00400100/00400009",),
    "bed": ("00380300",),  # Current Patient Location
    # A wristband or an order's label: whichever of these was printed on it.
    "barcode": (
        *("00100020", "00380010", "00080050"),  # Patient ID, Admission ID, Accession Number
        *("00401001", "00402016", "00402017", "00400100/00400009"),
    ),
}
LONGEST = 64  # characters (LO)


@dataclass(frozen=True, slots=True)
class Fitting:
    """The one step that fits, or None and in words why there is none. No identifier stands in the words."""

    step: ScheduledStep | None
    words: str


def match(said: Mapping[str, str], steps: Iterable[ScheduledStep], sufficient: Sequence[str]) -> Fitting:
    """The one step that has every identifier in ``said``.

    At least one of them must be of a kind in ``sufficient``: others (a bed, say) may support, and never decide.
    Steps of two RIS, or of two patients, are two steps.
    """
    if not any(kind in sufficient for kind in said):
        names = _names(said) if said else "nothing"
        return Fitting(None, f"{names} alone is not taken for an identity here")
    fitting = {_identity(s): s for s in steps if all(agrees(kind, text, s.item) for kind, text in said.items())}
    if len(fitting) == 1:
        (step,) = fitting.values()
        lacks = [name for name in step.missing if name.startswith("Patient")]
        if lacks:
            return Fitting(None, f"the step that fits lacks {' and '.join(lacks)}")
        return Fitting(step, f"it fits by {_names(said)}")
    if fitting:
        return Fitting(None, f"{len(fitting)} scheduled steps fit by {_names(said)}")
    return Fitting(None, f"no scheduled step fits by {_names(said)}")


def contradicted(said: Mapping[str, Iterable[str]], items: Sequence[Item]) -> tuple[str, ...]:
    """Which kinds of identifiers name somebody or something else than ``items`` (one exam's): held, never overridden.

    What no item has a value for cannot contradict; what a device said twice, differently, does.
    """
    return tuple(kind for kind, texts in said.items() if any(_differs(kind, text, items) for text in texts))


def agrees(kind: str, text: str, item: Item) -> bool:
    """Whether the item has this identifier."""
    return text.strip() in _values(kind, item)


def _differs(kind: str, text: str, items: Sequence[Item]) -> bool:
    there = [found for item in items for found in _values(kind, item)]
    return bool(there) and text.strip() not in there


def _values(kind: str, item: Item) -> list[str]:
    return [found for path in IDENTIFIERS[kind] if (found := value(item, path).strip())]


def _identity(step: ScheduledStep) -> tuple[str, ...]:
    issuer = value(step.item, "00100021")
    return (step.source, step.step_id, step.patient_id, issuer, step.study_uid, step.accession_number)


def _names(said: Iterable[str]) -> str:
    return " and ".join(kind.replace("_", " ") for kind in said)
