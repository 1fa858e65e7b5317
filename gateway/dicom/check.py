"""Check any Part 10 file of the waveform classes against the tables, before somebody else does.

The module and IOD tables say what must be there; :mod:`gateway.dicom.values` what a value may look like;
:mod:`gateway.dicom.content` what the numbers must say about each other. The samples are not loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from gateway.dicom import content, values
from gateway.dicom.finding import ERROR, WARNING, Finding
from gateway.dicom.iods import BY_CLASS, Iod
from gateway.dicom.modules import Attribute, Module
from gateway.dicom.reading import WAVEFORM_DATA, WaveformFile, open_file
from gateway.errors import Held

__all__ = ["ERROR", "WARNING", "Finding", "check"]

META = {
    "MediaStorageSOPClassUID": "SOPClassUID",
    "MediaStorageSOPInstanceUID": "SOPInstanceUID",
}


def check(path: Path) -> list[Finding]:
    """All findings about one file, errors first. Never raises for what a file contains."""
    try:
        file = open_file(path)
    except Held as error:
        return [Finding(ERROR, path.name, "PS3.10", error.message)]
    try:
        found = list(_findings(file))
    except Exception as error:  # a value so broken that a rule could not even look at it
        found = [Finding(ERROR, path.name, "PS3.5", f"cannot be checked to the end: {error}")]
    return sorted(dict.fromkeys(found), key=lambda f: f.severity != ERROR)


def _findings(file: WaveformFile) -> Iterator[Finding]:
    yield from _meta(file)
    yield from _values(file.dataset, "")
    iod = BY_CLASS.get(str(file.dataset.get("SOPClassUID", "")))
    if iod is None:
        known = ", ".join(row.label for row in BY_CLASS.values())
        yield Finding(WARNING, "SOPClassUID", "check", f"is a class that is not checked further; known are {known}")
        return
    for module, usage in iod.modules:
        if usage == "M" or _used(module, file.dataset):
            for attribute in module.attributes:
                where = f"{iod.label}, {module.name} {module.section}"
                yield from _attribute(attribute, file.dataset, file, "", where)
    yield from content.findings(file, iod)
    yield from _class_notes(file.dataset, iod)


def _meta(file: WaveformFile) -> Iterator[Finding]:
    for keyword, mirrored in META.items():
        value = file.meta.get(keyword)
        if not value:
            yield Finding(ERROR, keyword, "PS3.10 7.1", "is missing from the file meta information")
        elif str(value) != str(file.dataset.get(mirrored, "")):
            yield Finding(ERROR, keyword, "PS3.10 7.1", f"differs from {mirrored} of the data set")
    if not file.meta.get("ImplementationClassUID"):
        yield Finding(ERROR, "ImplementationClassUID", "PS3.10 7.1", "is missing from the file meta information")
    yield from _values(file.meta, "")


def _used(module: Module, dataset: Dataset) -> bool:
    return any(mark in dataset for mark in module.marks)


def _attribute(attribute: Attribute, item: Dataset, file: WaveformFile, prefix: str, where: str) -> Iterator[Finding]:
    """One row of a module table against one item (or the whole data set)."""
    path = prefix + attribute.keyword
    rule = f"{where}, type {attribute.type}"
    element = _element(item, attribute.keyword)
    if attribute.keyword == "WaveformData":
        if _extent_missing(file, prefix):
            yield Finding(ERROR, path, rule, "is missing")
        return
    if element is None:
        if attribute.type in ("1", "2"):
            yield Finding(ERROR, path, rule, "is missing")
        elif attribute.condition is not None and attribute.condition.holds(item, file.dataset):
            yield Finding(ERROR, path, rule, f"is missing, though {attribute.condition.words}")
        return
    condition = attribute.condition
    if condition is not None and not condition.otherwise and not condition.holds(item, file.dataset):
        yield Finding(ERROR, path, rule, f"is there, which is allowed only if {condition.words}")
    if element.is_empty:
        if attribute.type in ("1", "1C"):
            yield Finding(ERROR, path, rule, "is empty")
        return
    if attribute.values:
        given = element.value if isinstance(element.value, MultiValue) else [element.value]
        for value in given:
            if str(value) not in attribute.values:
                yield Finding(ERROR, path, rule, f"is {value!s:.20}; allowed are {', '.join(attribute.values)}")
    if element.VR == "SQ":
        if attribute.one_item and len(element.value) > 1:
            yield Finding(ERROR, path, rule, f"has {len(element.value)} items; only one is allowed")
        for number, inner in enumerate(element.value, 1):
            for row in attribute.items:
                yield from _attribute(row, inner, file, f"{path}[{number}].", where)


def _element(item: Dataset, keyword: str) -> DataElement | None:
    tag = tag_for_keyword(keyword)
    return item[tag] if tag is not None and tag in item else None


def _extent_missing(file: WaveformFile, prefix: str) -> bool:
    number = int(prefix.removesuffix("].").rpartition("[")[2])
    return file.extents[number - 1] is None


def _values(dataset: Dataset, prefix: str) -> Iterator[Finding]:
    """Every element of a data set and of all items in it, whatever class it is."""
    for tag in sorted(dataset.keys()):
        where = prefix + (keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})")
        try:
            element = dataset[tag]
        except Exception as error:  # a value that does not even decode
            yield Finding(ERROR, where, "PS3.5", f"cannot be decoded: {error}")
            continue
        if tag.is_private:
            yield from _private(dataset, element, where)
        elif fault := values.kind_fault(element):
            yield Finding(ERROR, where, "PS3.6", fault)
        for words in values.element_faults(element):
            yield Finding(ERROR, where, f"PS3.5 6.2 {element.VR}", words)
        if values.retired(element):
            yield Finding(WARNING, where, "PS3.6", "is retired from the standard")
        if element.VR == "SQ" and tag != WAVEFORM_DATA:
            for number, item in enumerate(element.value, 1):
                yield from _values(item, f"{where}[{number}].")


def _private(dataset: Dataset, element: DataElement, where: str) -> Iterator[Finding]:
    tag = element.tag
    if tag.is_private_creator:
        return
    if (tag.group << 16 | tag.element >> 8) not in dataset:
        yield Finding(ERROR, where, "PS3.5 7.8", "is private and nobody has reserved its block")
    else:
        yield Finding(WARNING, where, "PS3.5 7.8", "is private; other systems will not understand it")


def _class_notes(dataset: Dataset, iod: Iod) -> Iterator[Finding]:
    """What is allowed, but will hurt later: on media, or in a DICOMDIR."""
    for keyword in ("StudyID", "SeriesNumber", "PatientID", "StudyDate", "StudyTime"):
        if not dataset.get(keyword) and dataset.get(keyword) != 0:
            yield Finding(WARNING, keyword, "PS3.3 F.5", f"has no value, which a DICOMDIR with this {iod.label} needs")
