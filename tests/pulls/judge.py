"""The judge of a stick: what the gateway had said, against what is on it. Pure; it reads no file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Look:
    """What is on a stick as others read it."""

    directory: bool  # there is a DICOMDIR
    named: dict[str, str]  # SOP Instance UID -> File ID, by following the DICOMDIR's links
    hashes: dict[str, str]  # File ID -> SHA-256 of the file, of all that the DICOMDIR names and that are there
    objections: tuple[str, ...] = ()  # of DCMTK, dicom3tools, pydicom, and of mtools that copied the files out
    problems: tuple[str, ...] = ()  # of 'gateway media verify'
    others: bool = True  # somebody else's file is there, as it was
    file_set_uid: str = ""
    file_set_id: str = ""


@dataclass(slots=True)
class Book:
    """What the gateway was asked for, in its order, and what it said to be on the stick (UID -> File ID)."""

    sha256: dict[str, str]  # UID -> of the spool's file
    said: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # UIDs in the order of adding, those said first


@dataclass(slots=True)
class Verdict:
    missing: int = 0  # instances that were said to be on it
    unreadable: int = 0  # what others cannot read: the directory, or a file that it names
    complaints: list[str] = field(default_factory=list)


def judge(book: Book, look: Look, at_the_end: bool) -> Verdict:
    """``at_the_end``: nothing was cut off since the gateway said that all is on it."""
    found = Verdict(unreadable=int(bool(look.objections)))
    found.complaints += [f"not readable by others: {words}" for words in look.objections]
    if not look.others:
        found.complaints.append("somebody else's file on it was harmed")
    for uid, file_id in book.said.items():
        if words := _harm(book, look, uid, file_id):
            found.missing += 1
            found.complaints.append(f"{file_id} was said to be on it: {words}")
    for uid in look.named.keys() - book.said.keys():
        if words := _harm(book, look, uid, look.named[uid]):
            found.unreadable += 1
            found.complaints.append(f"{look.named[uid]} is named by the DICOMDIR: {words}")
    if not _is_a_state(book.asked, len(book.said), look.named):
        found.complaints.append("the DICOMDIR is neither in the old nor in the new state")
    if len(set(look.named.values())) != len(look.named):
        found.complaints.append("two instances have one File ID")
    if at_the_end:
        found.complaints += [f"media verify: {words}" for words in look.problems]
        if missing := len(set(book.asked) - look.named.keys()):
            found.complaints.append(f"{missing} instances are not on it although it was said that all are")
    return found


def _harm(book: Book, look: Look, uid: str, file_id: str) -> str:
    if not look.directory:
        return "there is no DICOMDIR"
    if look.named.get(uid) != file_id:
        return f"the DICOMDIR says {look.named.get(uid, 'nothing')}"
    if file_id not in look.hashes:
        return "there is no such file"
    if look.hashes[file_id] != book.sha256.get(uid):
        return "the file is another than the spool's"
    return ""


def _is_a_state(asked: Sequence[str], said: int, named: Iterable[str]) -> bool:
    """Whether what is named is what was named after one of the additions, and none before the last that was said."""
    there = set(named)
    return any(there == set(asked[:count]) for count in range(said, len(asked) + 1))
