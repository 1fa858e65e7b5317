"""From Explicit to Implicit VR Little Endian, as a stream: the heads of the elements change, and not their values.

Lengths that are defined stay so, and are corrected when what they hold has been written; retired group lengths are left
out. One block is in memory at a time, however large the instance is; a sequence costs a place on the stack.

Whoever reads Implicit VR learns the kind of a value from the dictionary (PS3.5 section 7.1.2). So a value under a
standard tag that is of another kind than the dictionary says would come out as something else, and is not transcoded.
What is written is read again beside the original, and must be the same element for element and byte for byte.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pydicom.datadict import dictionary_VR

from gateway.errors import Held
from gateway.transfer.media.dicomdir.elements import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    Malformed,
    Window,
    elements,
    item_at,
    name,
    tag_at,
)

_BLOCK = 1 << 20
_DEEPEST = 16  # sequences within each other
_HEAD = struct.Struct("<HHI")
_TEXT = frozenset(
    ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"]
)
_BYTES = frozenset(("OB", "OW"))  # in Little Endian the same bytes

Beat = Callable[[], None]


def to_implicit_little_endian(source: BinaryIO, offset: int, target: BinaryIO, beat: Beat = lambda: None) -> None:
    """Write the data set at ``offset`` of ``source`` to where ``target`` stands, which is open for reading too.

    Raises Held if it is not what PS3.5 says, or cannot be read in Implicit VR as what it is.
    """
    begins = target.tell()
    try:
        _Writer(source, target, beat).data_set(offset, _size(source), 0)
        target.flush()
        _Judge(source, target, beat).data_set(offset, _size(source), begins, 0)
    except Malformed as error:
        raise Held(f"it cannot be read as Explicit VR Little Endian ({error})") from error


def _size(stream: BinaryIO) -> int:
    return Window(stream.fileno()).size


def _fits_the_dictionary(element: Element) -> bool:
    vr = element.vr.decode()
    try:
        known = dictionary_VR(element.tag).split(" or ")
    except KeyError:  # private, or younger than the dictionary: then it is unknown to the reader as well
        return True
    if vr == "UN" or vr in known or not element.length:
        return True
    return any({vr, one} <= kinds for one in known for kinds in (_TEXT, _BYTES))


def _wanted(element: Element) -> bool:
    """Whether it is written: a group length (gggg,0000) would be wrong, and means nothing (PS3.5 section 7.2)."""
    return bool(element.tag & 0xFFFF)


def _items(source: Window, element: Element, depth: int) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether its length is defined, of each item of a sequence."""
    if depth > _DEEPEST:
        raise Malformed(f"sequences are nested more than {_DEEPEST} deep")
    at = element.value
    while at < element.end:
        tag, length = tag_at(source, at)
        if tag == SEQUENCE_END and element.length == UNDEFINED:
            return
        start, end, at = item_at(source, at, element.end, depth)
        yield start, end, length != UNDEFINED


class _Writer:
    def __init__(self, source: BinaryIO, target: BinaryIO, beat: Beat) -> None:
        self._source = source
        self._window = Window(source.fileno())
        self._target = target
        self._beat = beat

    def data_set(self, at: int, end: int, depth: int) -> None:
        for element in elements(self._window, at, end, depth):
            at = element.end
            if not _wanted(element):
                continue
            if element.vr == b"SQ":
                with self._head(element.tag, element.length != UNDEFINED, SEQUENCE_END):
                    for start, stop, defined in _items(self._window, element, depth + 1):
                        with self._head(ITEM, defined, ITEM_END):
                            self.data_set(start, stop, depth + 1)
                continue
            if not _fits_the_dictionary(element):
                words = f"{name(element.tag)} is written as {element.vr.decode()}, and nobody could tell in Implicit VR"
                raise Held(words)
            self._target.write(_HEAD.pack(element.tag >> 16, element.tag & 0xFFFF, element.length))
            for block in _blocks(self._source, element.value, element.length, self._beat):
                self._target.write(block)
        if at != end:
            raise Malformed(f"at {at}: a delimiter where an element should start")

    @contextmanager
    def _head(self, tag: int, defined: bool, end: int) -> Iterator[None]:
        """The head of a sequence or an item before what the block writes, and its end, or its length, after it."""
        at = self._target.tell()
        self._target.write(_HEAD.pack(tag >> 16, tag & 0xFFFF, UNDEFINED))
        yield
        if not defined:
            self._target.write(_HEAD.pack(end >> 16, end & 0xFFFF, 0))
            return
        behind = self._target.tell()
        self._target.seek(at + 4)
        self._target.write(struct.pack("<I", behind - at - 8))
        self._target.seek(behind)


class _Judge:
    """Reads both beside each other. Raises Malformed for the first difference; methods return where they came to."""

    def __init__(self, source: BinaryIO, target: BinaryIO, beat: Beat) -> None:
        self._source, self._target = source, target
        self._window, self._made = Window(source.fileno()), Window(target.fileno())
        self._beat = beat

    def data_set(self, at: int, end: int, made: int, depth: int) -> int:
        for element in filter(_wanted, elements(self._window, at, end, depth)):
            tag, length = tag_at(self._made, made)
            if tag != element.tag:
                raise Malformed(f"{name(element.tag)} comes out as {name(tag)}")
            made += 8
            if element.vr == b"SQ":
                made = self._sequence(element, made, length, depth + 1)
                continue
            if length != element.length or not self._same(element, made):
                raise Malformed(f"{name(tag)} comes out otherwise")
            made += length
        if depth == 0 and made != self._made.size:
            raise Malformed("something was added at its end")
        return made

    def _sequence(self, element: Element, made: int, length: int, depth: int) -> int:
        begins = made
        for start, stop, defined in _items(self._window, element, depth):
            tag, item = tag_at(self._made, made)
            if tag != ITEM:
                raise Malformed(f"an item of {name(element.tag)} comes out as {name(tag)}")
            end = self.data_set(start, stop, made + 8, depth)
            made = self._ends(made + 8, end, item, defined, ITEM_END)
        return self._ends(begins, made, length, element.length != UNDEFINED, SEQUENCE_END)

    def _ends(self, begins: int, end: int, length: int, defined: bool, delimiter: int) -> int:
        if defined and length == end - begins:
            return end
        if not defined and length == UNDEFINED and tag_at(self._made, end) == (delimiter, 0):
            return end + 8
        raise Malformed("a length comes out otherwise")

    def _same(self, element: Element, made: int) -> bool:
        old = _blocks(self._source, element.value, element.length, self._beat)
        new = _blocks(self._target, made, element.length, self._beat)
        return all(one == other for one, other in zip(old, new, strict=True))


def _blocks(stream: BinaryIO, at: int, length: int, beat: Beat) -> Iterator[bytes]:
    """``length`` bytes from ``at``. Raises Malformed if they are not all there."""
    for start in range(at, at + length, _BLOCK):
        beat()
        wanted = min(_BLOCK, at + length - start)
        block = os.pread(stream.fileno(), wanted, start)
        if len(block) != wanted:
            raise Malformed("the file became shorter while it was read")
        yield block
