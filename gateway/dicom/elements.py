"""Every element of a data set and of all items in it, whatever class it is: PS3.5 and PS3.6.

Value representation, number of values, length and characters, text against the declared character set, private
blocks. This walk comes first: it sees the elements as they were written, before anybody has decoded them.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from gateway.dicom import charsets, values
from gateway.dicom.conditions import TEXT
from gateway.dicom.finding import ERROR, WARNING, Finding
from gateway.dicom.reading import WAVEFORM_DATA

_CHARSET = 0x00080005
_GROUP_LENGTH = 0x0000  # retired everywhere but in the file meta information
DEEPEST = 32  # sequences in each other


def name(tag: BaseTag) -> str:
    """The keyword, or (gggg,eeee)."""
    return keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})"


def findings(dataset: Dataset, prefix: str = "", declared: tuple[str, ...] = (), depth: int = 0) -> Iterator[Finding]:
    """``declared``: the Specific Character Set of the data set around this item."""
    terms = _terms(dataset, declared)
    for tag in sorted(dataset.keys()):
        where = prefix + name(tag)
        raw = dataset.get_item(tag)
        if isinstance(raw, RawDataElement):
            yield from _as_written(raw, where, terms)
        try:
            element = dataset[tag]
        except Exception as error:  # a value that does not even decode
            yield Finding(ERROR, where, "encoding", "PS3.5 6.2", f"cannot be decoded: {error}")
            continue
        yield from _element(dataset, element, where)
        if element.VR == "SQ" and tag != WAVEFORM_DATA:
            if depth == DEEPEST:
                yield Finding(ERROR, where, "encoding", "PS3.5 7.5", "is nested too deeply to be looked at")
                continue
            for number, item in enumerate(element.value, 1):
                yield from findings(item, f"{where}[{number}].", terms, depth + 1)


def _terms(dataset: Dataset, declared: tuple[str, ...]) -> tuple[str, ...]:
    if _CHARSET not in dataset:
        return declared
    value = dataset[_CHARSET].value
    return tuple(str(term) for term in (value if isinstance(value, MultiValue) else [value or ""]))


def _as_written(raw: RawDataElement, where: str, terms: tuple[str, ...]) -> Iterator[Finding]:
    if raw.length % 2 and raw.length != 0xFFFFFFFF:
        yield Finding(ERROR, where, "encoding", "PS3.5 7.1.1", f"has the odd length {raw.length}")
    if raw.VR == "SQ" or not isinstance(raw.value, bytes):
        return
    vr = raw.VR or values.dictionary_kind(raw.tag)
    if fault := values.padding_fault(vr, raw.value):
        yield Finding(ERROR, where, "value", f"PS3.5 6.2 {vr}", fault)
    if vr in TEXT and (fault := charsets.undecodable(raw.value, terms)):
        yield Finding(ERROR, where, "character set", "PS3.5 6.1", fault)


def _element(dataset: Dataset, element: DataElement, where: str) -> Iterator[Finding]:
    tag = element.tag
    if tag.is_private:
        yield from _private(dataset, element, where)
    elif tag.element == _GROUP_LENGTH and tag.group != 2:
        yield Finding(WARNING, where, "retired", "PS3.5 7.2", "is a group length, which is retired")
        return
    elif not values.known(tag):
        yield Finding(WARNING, where, "extended", "PS3.6", "is no attribute of the data dictionary")
    elif fault := values.kind_fault(element):
        yield Finding(ERROR, where, "vr", "PS3.6", fault)
    if fault := values.multiplicity_fault(element):
        yield Finding(ERROR, where, "vm", "PS3.6", fault)
    for words in values.element_faults(element):
        yield Finding(ERROR, where, "value", f"PS3.5 6.2 {element.VR}", words)
    if tag == _CHARSET:
        for words in charsets.faults(_terms(dataset, ())):
            yield Finding(ERROR, where, "character set", "PS3.3 C.12.1.1.2", words)
    if values.retired(tag):
        yield Finding(WARNING, where, "retired", "PS3.6", "is retired from the standard")


def _private(dataset: Dataset, element: DataElement, where: str) -> Iterator[Finding]:
    tag = element.tag
    if tag.is_private_creator:
        return
    if (tag.group << 16 | tag.element >> 8) not in dataset:
        yield Finding(ERROR, where, "private", "PS3.5 7.8.1", "is private and nobody has reserved its block")
    else:
        yield Finding(WARNING, where, "private", "PS3.5 7.8", "is private; other systems will not understand it")
