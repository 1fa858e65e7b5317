"""What the check has to say: one line each, for a person; the same in fields, for a program."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from gateway.dicom.conditions import OVERLAY

ERROR = "error"
WARNING = "warning"
_WRITTEN = re.compile(r"\([0-9A-F]{4},[0-9A-F]{4}\)")


@dataclass(frozen=True, slots=True)
class Finding:
    """``where``: a path of keywords, items counted from 1. ``rule``: which kind of rule, in a few fixed words (the keys
    of :data:`RULES`). ``section``: where the standard says it. ``message`` may name values that identify nobody.
    """

    severity: str
    where: str
    rule: str
    section: str
    message: str

    @property
    def tag(self) -> str:
        """(gggg,eeee) of the attribute that the path ends at; "" if it is the file as a whole."""
        last = self.where.rpartition(".")[2].partition("[")[0]
        if written := _WRITTEN.search(self.where):
            return written.group()
        number = OVERLAY.get(last) or tag_for_keyword(last)
        return "" if number is None else f"({number >> 16:04X},{number & 0xFFFF:04X})"

    def __str__(self) -> str:
        tag = f" {self.tag}" if self.tag and self.tag not in self.where else ""
        return f"{self.severity}: {self.where}{tag}: {self.message} [{self.rule}, {self.section}]"


# Every rule that a finding may name; the words are stable, for other people's lists of what they accept.
RULES = {
    "file": "the file can be read, to its end",
    "file meta": "the file meta information group",
    "encoding": "elements, items and lengths",
    "vr": "the value representation is the dictionary's",
    "vm": "the number of values is the dictionary's",
    "value": "length, characters and form of a value, by its value representation",
    "character set": "Specific Character Set covers the text, and is a known one",
    "retired": "the attribute is retired",
    "private": "private attributes, and their blocks",
    "extended": "the attribute is in no module of the IOD: a Standard Extended SOP Class",
    "class": "whether the SOP class is known here",
    "module": "a module that the IOD demands",
    "type 1": "present, with a value",
    "type 1C": "present with a value under its condition, absent otherwise",
    "type 2": "present, perhaps without a value",
    "type 2C": "present under its condition, absent otherwise",
    "enumerated value": "one of the values that the standard allows",
    "defined term": "one of the terms that the standard defines",
    "items": "the number of items of a sequence",
    "context group": "the code is in the context group",
    "modality": "Modality is the one that the IOD demands",
    "groups": "the number of multiplex groups",
    "channels": "the number of channels, and what describes them",
    "rate": "the sampling frequency",
    "samples": "the number of samples",
    "interpretation": "how a sample is encoded",
    "data": "the length and the kind of the bulk data",
    "channel": "sensitivity, skew, range of a channel",
    "source": "what each channel measures",
    "annotation": "what an annotation is about",
    "identity": "the UIDs of study, series and instance",
    "image": "rows, columns, bits and pixel data of an image",
    "document": "what is encapsulated",
    "media": "what a DICOMDIR needs although the IOD does not",
}
