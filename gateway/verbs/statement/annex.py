"""The annexes about what the box writes: modules and attributes of each IOD with their sources, and codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.dicom import groups, header_table, iods, leads, mapping, modules, reasons, rejection
from gateway.dicom.conditions import name, tag_of
from gateway.dicom.definition import Iod
from gateway.dicom.header_table import Filled
from gateway.dicom.origin import MEANING, PRESENCE, Origin, Source
from gateway.dicom.units import UNITS
from gateway.transfer.ris import worklist
from gateway.verbs.statement.activities import class_name, written_classes, written_iods
from gateway.verbs.statement.document import Block, Heading, Paragraph, bullets, table

_ATTRIBUTE = ("Attribute", "Tag", "Type", "Presence", "Source", "Value")


def contents(level: int) -> Iterator[Block]:
    """IOD contents (PS3.2 A, annex 8.1)."""
    yield Heading(level, "IOD contents")
    yield from created(level + 1)
    yield from received(level + 1)
    yield Heading(level + 1, "Coerced and modified attributes")
    yield Paragraph(
        "The box coerces nothing in what it did not make. A corrected copy (an exam that had been given to the wrong "
        "patient) is made anew from the recording, with UIDs of its own, and has in Original Attributes Sequence what "
        "its header had before. An instance that is sent in another transfer syntax keeps every value."
    )


def created(level: int) -> Iterator[Block]:
    """Which attribute is in what the box writes, of which type, from where, and what stands there instead."""
    yield Heading(level, "Created SOP instances")
    yield from _legend()
    tables = {row.key: header_table.filled(row) for row in written_iods()}
    for row in written_iods():
        yield from _modules(row, tables[row.key], level + 1)
    yield from _note(level + 1)
    yield from _attributes(tables, level + 1)


def _legend() -> Iterator[Block]:
    yield Paragraph("Types are those of PS3.3. An attribute that stands in no table is never written.")
    yield table("Presence", ("Word", "Meaning"), [(p.value, words) for p, words in PRESENCE.items()])
    yield table("Source of a value", ("Word", "Meaning"), [(s.value, words) for s, words in MEANING.items()])


def _modules(iod: Iod, filled: tuple[Filled, ...], level: int) -> Iterator[Block]:
    yield Heading(level, iod.label)
    yield Paragraph(f"SOP Class UID {iod.sop_class_uid}, PS3.3 {iod.section}, Modality {iod.written_modality}.")
    rows = []
    for one in filled:
        present = one.present.value if one.present else "never"
        rows.append((one.module, one.section.removeprefix("PS3.3 "), one.usage, present))
    yield table(f"Modules of {iod.label}", ("Module", "PS3.3", "Usage", "Presence"), rows)
    if iod.pictures is not None:
        written = [(class_name(uid), uid) for uid in written_classes()[iod.sop_class_uid]]
        yield table(f"Transfer syntaxes of {iod.label}", ("Transfer syntax", "UID"), written)
    if iod.limits is not None:
        yield table(f"What {iod.label} holds", ("What", "Allowed", "Written"), _limits(iod))


def _limits(iod: Iod) -> Iterator[tuple[str, str, str]]:
    of = iod.waveform
    yield "Multiplex groups", _span(of.groups), "as many as the device has"
    channels = " or ".join(map(str, of.counts)) or _span(of.channels)
    channels += f", {of.channels_in_all} in all" if of.channels_in_all else ""
    yield "Channels in each", channels, "those of the device, and limb leads that follow from I and II"
    yield "Sampling frequency", "any" if of.rate is None else f"{of.rate[0]:g} to {of.rate[1]:g} Hz", "the device's"
    yield "Samples of each channel", f"at most {of.samples}" if of.samples else "any", "all that were recorded"
    yield (
        "Sample interpretation",
        ", ".join(of.interpretations),
        "of those with 16 bits or more the narrowest that holds the counts",
    )
    yield (
        "Channel source",
        ", ".join(f"CID {cid} {groups.name(cid)}" for cid in of.sources) or "any",
        "see coded terminology",
    )


def _span(bounds: tuple[int, int | None]) -> str:
    low, high = bounds
    return f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}"


def _note(level: int) -> Iterator[Block]:
    yield Heading(level, "Key Object Selection Document")
    titles = ", ".join(
        f"{code.meaning} ({code.scheme} {code.value})" for code in (rejection.WRONG_ENTRY, rejection.PATIENT_SAFETY)
    )
    yield Paragraph(
        f"SOP Class UID {rejection.SOP_CLASS}, PS3.3 A.35.4, template TID 2010. A rejection note (IHE IOCM): it "
        f"refers to instances that a destination may have under the wrong patient. Its title is one of: {titles}."
    )
    rows = [_attribute(row, "", 0) for row in rejection.NOTE.values()]
    head = [cell for cell in _ATTRIBUTE if cell != "Type"]
    yield table("Attributes of a rejection note", head, [(*row[:2], *row[3:]) for row in rows])


def _attributes(tables: dict[str, tuple[Filled, ...]], level: int) -> Iterator[Block]:
    """One table for each module, for all IODs that have it: its types are the same in each."""
    by_module: dict[str, Filled] = {}
    users: dict[str, list[str]] = {}
    for key, filled in tables.items():
        for one in filled:
            if one.rows:
                by_module.setdefault(one.module, one)
                users.setdefault(one.module, []).append(iods.BY_KEY[key].label)
    for module, one in by_module.items():
        yield Heading(level, f"{module} module")
        every = len(users[module]) == len(tables)
        yield Paragraph(f"{one.section}; {'in all classes above' if every else 'in ' + ', '.join(users[module])}.")
        rows = [_attribute(row.origin, row.type, row.depth) for row in one.rows]
        yield table(f"Attributes of {module}", _ATTRIBUTE, rows)
    yield Heading(level, "File meta information")
    types = {row.keyword: row.type for row in modules.macro("File Meta Information").rows}
    rows = [_attribute(row, types[row.path], 0) for row in header_table.META]
    yield table("Attributes of the file meta information", _ATTRIBUTE, rows)


def _attribute(row: Origin, kind: str, depth: int) -> tuple[str, ...]:
    keyword = row.path.rpartition("/")[2]
    words = row.words + (f"; else {row.fallback}" if row.fallback else "")
    return (">" * depth + name(keyword), _tag(keyword), kind, row.presence.value, ", ".join(row.sources), words)


def _tag(keyword: str) -> str:
    number = tag_of(keyword)
    return f"({number >> 16:04X},{number & 0xFFFF:04X})"


def received(level: int) -> Iterator[Block]:
    """What is asked of the worklist, and where it goes (IHE RAD TF-2x appendix A)."""
    yield Heading(level, "Attributes from the worklist")
    yield Paragraph(
        "Every key is asked for and kept, with whatever else the RIS answers. An item that lacks one of type 1 is "
        "shown with what is missing; one without Patient ID or Patient's Name cannot be chosen."
    )
    matched = ", ".join(f"{name(key)} {_tag(key)}" for key in _MATCHED)
    yield Paragraph(f"Matching keys: {matched}.")
    keys = [*worklist.KEYS, *(f"{mapping.SPS}/{key}" for key in worklist.STEP_KEYS), f"{mapping.SPS}/{_PROTOCOL}"]
    rows = []
    targets = {row.worklist: row for row in mapping.TABLE}
    for key in keys:
        row = targets.get(key)
        instance = ", ".join(_path(path) for path in row.instance) if row else ""
        mpps = ", ".join(f"{_path(path)}, type {kind}" for path, kind in row.mpps) if row else ""
        if key == "StudyInstanceUID":
            instance, mpps = "Study Instance UID", f"{name(mapping.SSAS)} > Study Instance UID, type 1"
        keyword = key.rpartition("/")[2]
        rows.append((_path(key), _tag(keyword), instance, mpps))
    yield table("Attribute mapping", ("Worklist", "Tag", "Instance", "Performed procedure step"), rows)


_PROTOCOL = "ScheduledProtocolCodeSequence"
_MATCHED = (
    *("ScheduledProcedureStepStartDate", "Modality", "ScheduledStationAETitle"),
    *("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureID"),
)


def _path(path: str) -> str:
    return " > ".join(name(keyword) for keyword in path.split("/"))


_LEADS = (*leads.LIMB, *leads.CHEST, *leads.FURTHER, leads.RESPIRATION)


def terminology(level: int) -> Iterator[Block]:
    yield Heading(level, "Coded terminology and templates")
    written: list[tuple[str, Any]] = [
        ("Channel Source of an ECG", (*(lead.code for lead in _LEADS), leads.UNSPECIFIED)),
        ("Channel Sensitivity Units (CID 82, UCUM)", UNITS.values()),
        ("Discontinuation Reason (CID 9300)", reasons.TABLE.values()),
        ("Title of a rejection note (CID 7011, IHE IOCM)", (rejection.WRONG_ENTRY, rejection.PATIENT_SAFETY)),
    ]
    rows = [(where, code.value, code.scheme, code.meaning) for where, codes in written for code in dict.fromkeys(codes)]
    yield table("Codes that are written", ("Where", "Code Value", "Scheme", "Code Meaning"), rows)
    yield Paragraph(
        "Channel sources of the other waveforms, their modifiers and the concepts of annotations come from the groups "
        "below. Codes from the worklist are copied as they come. What can be configured are names of channels."
    )
    checked = [(f"CID {cid}", groups.name(cid)) for cid in groups.numbers()]
    yield table("Context groups that gateway check knows", ("Group", "Name"), checked)


def others(level: int) -> Iterator[Block]:
    yield Heading(level, "Data dictionary of private attributes")
    yield Paragraph("No private attribute is written.")
    yield from terminology(level)
    yield Heading(level, "Grayscale image consistency")
    yield Paragraph("The box shows no images: the Grayscale Standard Display Function does not apply.")
    yield Heading(level, "Standard extended, specialized and private SOP classes")
    yield Paragraph("None. Every attribute that is written is in a module of its IOD.")
    yield Heading(level, "Private transfer syntaxes")
    yield Paragraph("None.")


def header() -> Iterator[Block]:
    """The header table's own page."""
    yield Heading(1, "Where each attribute of an instance comes from")
    yield Paragraph(
        "The table by which headers are written, as gateway conformance --header prints it. Which attributes a "
        "class has follows from its modules."
    )
    yield bullets((f"{Source.MWL} before {Source.USER}: an exam has either a worklist item or an entered identity.",))
    yield from created(2)
    yield from received(2)
