"""Check any Part 10 file against the tables of its SOP class, before somebody else does.

The tables say what must be there (:mod:`gateway.dicom.iods`, :mod:`gateway.dicom.modules`);
:mod:`gateway.dicom.elements` what a value may look like; :mod:`gateway.dicom.content` what the numbers must say about
each other. Neither samples nor pixels are loaded. For a library: ``check(path)`` and :data:`RULES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydicom.dataset import Dataset

from gateway.dicom import content, document, elements, module_rules, modules, pixels
from gateway.dicom.definition import Iod
from gateway.dicom.finding import ERROR, RULES, WARNING, Finding
from gateway.dicom.iods import BY_CLASS
from gateway.dicom.modules import Module
from gateway.dicom.reading import WaveformFile, open_file
from gateway.errors import Held

__all__ = ["ERROR", "RULES", "WARNING", "Finding", "check"]

META = {
    "MediaStorageSOPClassUID": "SOPClassUID",
    "MediaStorageSOPInstanceUID": "SOPInstanceUID",
}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# What is type 2 in the IOD, but 1 in a DICOMDIR that names the file
MEDIA = ("PatientID", "StudyDate", "StudyTime", "StudyID", "SeriesNumber")
_EVERYWHERE = frozenset({0xFFFCFFFC, 0x4FFE0001, 0xFFFAFFFA})  # trailing padding and signatures


def check(path: Path) -> list[Finding]:
    """All findings about one file, errors first. Never raises for what a file contains."""
    try:
        file = open_file(path)
    except Held as error:
        return [Finding(ERROR, path.name, "file", "PS3.10", error.message)]
    found: list[Finding] = []
    try:
        found.extend(_findings(file))
    except Exception as error:  # a value so broken that a rule could not even look at it
        found.append(Finding(ERROR, path.name, "file", "PS3.5", f"cannot be checked to the end: {error}"))
    said: dict[tuple[str, str], Finding] = {}
    for one in sorted(found, key=lambda f: f.rule if f.rule.startswith("type ") else ""):
        said.setdefault((one.where, one.message), one)  # two modules may ask for the same, one of them for more
    return sorted(said.values(), key=lambda f: f.severity != ERROR)


def _findings(file: WaveformFile) -> Iterator[Finding]:
    yield from _meta(file)
    yield from elements.findings(file.dataset)
    yield from _identity(file.dataset)
    iod = BY_CLASS.get(str(file.dataset.get("SOPClassUID", "")))
    if iod is None:
        words = "is a class whose modules are not known here; only what holds for every file was checked"
        yield Finding(WARNING, "SOPClassUID", "class", "PS3.4 B.5", words)
        return
    yield from _modules(file.dataset, iod)
    if iod.limits is not None:
        yield from content.findings(file, iod)
    if iod.document:
        yield from document.findings(file, iod)
    yield from pixels.findings(file, iod)
    yield from _media(file.dataset, iod)


def _meta(file: WaveformFile) -> Iterator[Finding]:
    yield from elements.findings(file.meta)
    yield from module_rules.findings(modules.macro("File Meta Information"), file.meta)
    for keyword, mirrored in META.items():
        value = file.meta.get(keyword)
        if value and str(value) != str(file.dataset.get(mirrored, "")):
            yield Finding(ERROR, keyword, "file meta", "PS3.10 7.1", f"differs from {mirrored} of the data set")


def _identity(dataset: Dataset) -> Iterator[Finding]:
    """One UID identifies one thing (PS3.5 9)."""
    seen: dict[str, str] = {}
    for keyword in UIDS:
        value = str(dataset.get(keyword) or "")
        if value and value in seen:
            yield Finding(ERROR, keyword, "identity", "PS3.5 9", f"is the same as {seen[value]}")
        seen.setdefault(value, keyword)


def _modules(dataset: Dataset, iod: Iod) -> Iterator[Finding]:
    modality = str(dataset.get("Modality") or "")
    if iod.modality and modality and modality not in iod.modality.split("|"):
        words = f"is {modality:.20}; {iod.label} demands {' or '.join(iod.modality.split('|'))}"
        yield Finding(ERROR, "Modality", "modality", f"PS3.3 {iod.section}", words)
    mandatory, known = _tables(iod)
    for use in iod.modules:
        module = modules.module(use.module)
        used = use.usage == "M" or not dataset.keys().isdisjoint(module.tags - mandatory)
        if not used and use.condition is not None and use.condition.holds((dataset,)):
            used = not dataset.keys().isdisjoint(module.tags) or not module.demands
            if not used:
                words = f"the module {module.name} is missing, though {use.condition.words}"
                yield Finding(ERROR, module.rows[0].keyword, "module", f"PS3.3 {iod.section}", words)
        if used:
            yield from module_rules.findings(module, dataset)
    yield from module_rules.strangers(dataset, known, "", f"PS3.3 {iod.section}")


@cache
def _tables(iod: Iod) -> tuple[frozenset[int], frozenset[int]]:
    """The attributes of the modules that the IOD demands, and of all its modules."""
    every: list[tuple[Module, str]] = [(modules.module(use.module), use.usage) for use in iod.modules]
    mandatory = frozenset().union(*(module.tags for module, usage in every if usage == "M"))
    return mandatory, _EVERYWHERE.union(*(module.tags for module, _ in every))


def _media(dataset: Dataset, iod: Iod) -> Iterator[Finding]:
    """What is allowed, but will hurt later: on media, or in a DICOMDIR."""
    for keyword in MEDIA:
        if not dataset.get(keyword) and dataset.get(keyword) != 0:
            words = f"has no value, which a DICOMDIR with this {iod.label} needs"
            yield Finding(WARNING, keyword, "media", "PS3.3 F.5", words)
