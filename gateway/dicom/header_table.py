"""TABLE of where each attribute of an instance comes from: the header as the conformance statement tells it.

The words are those of PS3.2 (annex A, IOD contents), and one more: what PS3.2 calls AUTO is DEVICE here where the
device itself says or measures it. What the worklist gives is not written down twice: these rows are made of
:data:`gateway.dicom.mapping.TABLE`. Which type an attribute has is the module tables' to say; what stands in no row is
never written. That an attribute's value comes from the source of its row is tested by changing that source alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.dicom import mapping, modules
from gateway.dicom.conditions import name
from gateway.dicom.definition import Iod
from gateway.dicom.header_rows import DOCUMENT, HEADER, IMAGE, WAVEFORM
from gateway.dicom.modules import Attribute
from gateway.dicom.origin import Origin, Presence, Source

_A, _V, _N, _E = Presence.ALWAYS, Presence.VNAP, Presence.ANAP, Presence.EMPTY
_MWL, _USER, _AUTO, _FIXED = Source.MWL, Source.USER, Source.AUTO, Source.FIXED

# What a person may enter when there is no worklist item, and what is generated for a patient nobody can name yet.
ENTERED = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber")
GENERATED = ("PatientName", "PatientID")


def _of_the_worklist() -> Iterator[Origin]:
    """Rows for what :mod:`gateway.dicom.mapping` copies."""
    seen: set[str] = set()
    for row in mapping.TABLE:
        for path in row.instance:
            sources = [_MWL]
            if not row.scheduled and path in ENTERED:
                sources.append(_USER)
            if path in GENERATED:
                sources.append(_AUTO)
            said = [f"{name(row.worklist.rpartition('/')[2])} of the item"]
            if path in GENERATED:
                said.append("of an emergency made by the pattern under [emergency]")
            if row.scheduled:
                said.append("only of an exam from the worklist")
            presence = _V if row.instance_type == "2" else _N
            outer, _, last = path.rpartition("/")
            if outer and outer not in seen:
                seen.add(outer)
                yield Origin(outer, _N, (_MWL,), "an item for each scheduled step that the exam is for")
            yield Origin(path, presence, tuple(sources), "; ".join(said), whole=last.endswith("Sequence"))
    group_case = "only if one exam is for several steps: of each"
    for keyword in ("AccessionNumber", "StudyInstanceUID"):
        yield Origin(f"{mapping.REQUEST}/{keyword}", _N, (_MWL,), group_case)


META = (
    Origin("FileMetaInformationGroupLength", _A, (_AUTO,)),
    Origin("FileMetaInformationVersion", _A, (_FIXED,), "1"),
    Origin("MediaStorageSOPClassUID", _A, (_FIXED,)),
    Origin("MediaStorageSOPInstanceUID", _A, (_AUTO,)),
    Origin("TransferSyntaxUID", _A, (_FIXED,)),
    Origin("ImplementationClassUID", _A, (_FIXED,)),
    Origin("ImplementationVersionName", _A, (_FIXED,)),
)
TABLE: dict[str, Origin] = {row.path: row for row in (*_of_the_worklist(), *HEADER, *WAVEFORM, *IMAGE, *DOCUMENT)}


@dataclass(frozen=True, slots=True)
class Row:
    """An attribute as one module asks for it, and where we have it from. ``type``: of the module's table."""

    origin: Origin
    type: str
    depth: int  # sequences around it
    tag: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A module of an IOD with what is written of it, in the order of the module's table; none if it is left out."""

    module: str
    section: str
    usage: str
    rows: tuple[Row, ...] = field(default=())

    @property
    def present(self) -> Presence | None:
        """Whether the module is in the instances; None: never."""
        if not self.rows:
            return None
        top = {row.origin.presence for row in self.rows if not row.depth}
        return Presence.ANAP if top == {Presence.ANAP} else Presence.ALWAYS


def origin(path: str, table: dict[str, Origin] = TABLE) -> Origin | None:
    """The row that speaks of an attribute: its own, or that of the sequence whose items come whole."""
    if path in table:
        return table[path]
    outer = path
    while "/" in outer:
        outer = outer.rpartition("/")[0]
        if outer in table:
            return table[outer] if table[outer].whole else None
    return None


def filled(iod: Iod) -> tuple[Filled, ...]:
    """All modules of an IOD, and what is written of each. An attribute of two modules stands in both.

    One that the IOD does not demand is left out if we have nothing for an attribute that it demands.
    """
    found = []
    for use in iod.modules:
        module = modules.module(use.module)
        whole = use.usage == "M" or all(row.keyword in TABLE for row in module.rows if row.type in ("1", "2"))
        found.append(Filled(use.module, module.section, use.usage, tuple(_rows(module.rows, "")) if whole else ()))
    return tuple(found)


def _rows(attributes: tuple[Attribute, ...], prefix: str) -> Iterator[Row]:
    for attribute in attributes:
        if (row := TABLE.get(f"{prefix}{attribute.keyword}")) is not None:
            yield Row(row, attribute.type, prefix.count("/"), attribute.tag)
            if not row.whole:
                yield from _rows(attribute.rows, f"{row.path}/")
