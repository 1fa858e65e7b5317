"""Exactly once in effect: the PACS's set of instances and what is in each equals the spool's. Pure; it reads no file.

A content is the hash of a data set: the File Meta Information before it is each writer's own. An instance may come to
the PACS many times, under one content only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

Contents = Mapping[str, Set[str]]  # by SOP Instance UID


@dataclass(slots=True)
class Comparison:
    instances: int = 0  # that anybody has
    equal: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return f"{self.equal} of {self.instances} hashes equal"


def of_data_set(part10: bytes) -> str:
    """Hash of the data set in a DICOM file: what follows the group whose length stands in (0002,0000), PS3.10 7.1."""
    if part10[128:138] != b"DICM\x02\0\0\0UL":
        raise ValueError("no DICOM file")
    return hashlib.sha256(part10[144 + int.from_bytes(part10[140:144], "little") :]).hexdigest()


def compare(spooled: Contents, stored: Contents) -> Comparison:
    """``spooled``: what lay in the spool whenever it was offered; ``stored``: what came to the PACS, and lies there."""
    found = Comparison(len(spooled.keys() | stored.keys()))
    for uid in sorted(spooled.keys() | stored.keys()):
        here, there = spooled.get(uid, set()), stored.get(uid, set())
        objections = list(_objections(here, there))
        found.equal += not objections
        found.complaints += [f"instance {uid} {words}" for words in objections]
    return found


def _objections(here: Set[str], there: Set[str]) -> Iterator[str]:
    if not there:
        yield "is missing in the PACS"
    elif not here:
        yield "is in the PACS, and was never in the spool"
    elif here != there:
        yield "is not in the PACS what it is in the spool"
    if len(here) > 1:
        yield f"had {len(here)} contents in the spool"
    if len(there) > 1:
        yield f"came to the PACS with {len(there)} contents"
