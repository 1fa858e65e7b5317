"""Reading a file without its bulk: the data set, and where samples, pixels or the document lie.

pydicom would load whole sequences; a recording may be larger than the memory. Here the Waveform Sequence is
walked item by item, and only the extent of (5400,1010) is noted; so is that of the pixels and of a document.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import data_element_generator, read_partial
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.errors import Held

# What pydicom would warn about while reading, gateway.dicom.check says in our words, with path and rule.
config.settings.reading_validation_mode = config.IGNORE

WAVEFORM_SEQUENCE = Tag(0x5400, 0x0100)
WAVEFORM_DATA = Tag(0x5400, 0x1010)
ENCAPSULATED_DOCUMENT = Tag(0x0042, 0x0011)
PIXELS = (Tag(0x7FE0, 0x0008), Tag(0x7FE0, 0x0009), Tag(0x7FE0, 0x0010))  # float, double and whole numbers
BULK = frozenset({ENCAPSULATED_DOCUMENT, *PIXELS})
UNDEFINED = 0xFFFFFFFF
_DEFER = 1 << 12  # bytes: longer values of an item are looked at one by one
_LARGEST_VALUE = 64 << 20  # bytes of any value but the samples
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the value of one bulk element lies in the file, and its VR as written.

    ``fragments``: of encapsulated pixels, the Basic Offset Table among them; None if the value is a native one.
    """

    offset: int
    length: int
    vr: str | None
    fragments: int | None = None


@dataclass(frozen=True, slots=True)
class WaveformFile:
    """``dataset`` holds everything but Waveform Data, of which ``extents`` has one entry for each group (None: absent),
    and the elements of ``bulk``, which are there without their value.
    """

    path: Path
    meta: FileMetaDataset
    dataset: Dataset
    extents: tuple[Extent | None, ...]
    size: int
    bulk: dict[int, Extent]


def open_file(path: Path) -> WaveformFile:
    """Read a Part 10 file of any SOP class (little endian, not deflated) without its bulk.

    Raises Held, in words, if it is no DICOM file, is truncated, or is in another transfer syntax.
    """
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            first = read_partial(stream, _ascending(ENCAPSULATED_DOCUMENT), defer_size=_LARGEST_VALUE)
            syntax = first.file_meta.get("TransferSyntaxUID")
            if syntax not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian) and not encapsulated(syntax):
                raise Held(f"{path} has the transfer syntax {syntax}, which is not read here", "use Explicit VR LE")
            extents, bulk = _walk(stream, first, syntax == ImplicitVRLittleEndian, size)
    except OSError as error:
        raise Held(f"{path} cannot be read: {error.strerror}", "check the path") from error
    except Held:
        raise
    except Exception as error:  # foreign bytes: whatever pydicom trips over means the same to a person
        raise Held(f"{path} is no readable DICOM file ({error or type(error).__name__})") from error
    return WaveformFile(path, first.file_meta, first, extents, size, bulk)


def encapsulated(syntax: UID | None) -> bool:
    """Whether pixels come as fragments in this transfer syntax; all of these are Explicit VR Little Endian."""
    return syntax is not None and syntax.is_transfer_syntax and syntax.is_encapsulated


def _ascending(stop: BaseTag | None = None) -> Callable[[BaseTag, str | None, int], bool]:
    """For pydicom's ``stop_when``: stops at ``stop``, or at what is walked here item by item, and refuses what is no
    longer in order, such as endless zeros."""
    last = Tag(0)

    def look(tag: BaseTag, _vr: str | None, length: int) -> bool:
        nonlocal last
        if stop is not None and tag >= stop:
            return True
        if tag <= last:
            raise Held(f"{tag} follows {last}: the elements are not in ascending order, the file is damaged")
        last = tag
        return tag == WAVEFORM_SEQUENCE or (length == UNDEFINED and tag in BULK)

    return look


def _walk(
    stream: BinaryIO, dataset: Dataset, implicit: bool, size: int
) -> tuple[tuple[Extent | None, ...], dict[int, Extent]]:
    """Read what follows the first stop into ``dataset``; returns the extents of waveforms and of other bulk."""
    extents: list[Extent | None] = []
    bulk: dict[int, Extent] = {}
    order = _ascending()
    while True:
        _plain(stream, dataset, implicit, size, bulk, order)
        head = stream.read(8)
        if not head:
            return tuple(extents), bulk
        if len(head) < 8:
            raise Held("it ends in the middle of an element; the file is truncated")
        tag = Tag(int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little"))
        length = int.from_bytes(head[4:] if implicit else stream.read(4), "little")
        if tag == WAVEFORM_SEQUENCE:
            dataset.WaveformSequence = _items(stream, implicit, length, size, dataset, extents)
        else:
            bulk[tag] = _fragments(stream, size, head[4:6].decode("ascii", "replace"))
            dataset[tag] = DataElement(tag, bulk[tag].vr or "OB", None)


def _plain(
    stream: BinaryIO,
    dataset: Dataset,
    implicit: bool,
    size: int,
    bulk: dict[int, Extent],
    order: Callable[[BaseTag, str | None, int], bool],
) -> None:
    """Elements as they come, up to the end or to what is walked item by item."""
    for element in data_element_generator(stream, implicit, True, stop_when=order, defer_size=_DEFER):
        if not isinstance(element, RawDataElement):
            dataset[element.tag] = element
            continue
        if element.value_tell + element.length > size:
            raise Held("an element is longer than the file; the file is truncated")
        if element.tag in BULK:
            bulk[element.tag] = Extent(element.value_tell, element.length, element.VR)
            dataset[element.tag] = DataElement(element.tag, element.VR or "OW", None)
        elif element.value is None and element.length:
            dataset[element.tag] = element._replace(value=_value(stream, element))
        else:
            dataset[element.tag] = element


def _fragments(stream: BinaryIO, size: int, vr: str) -> Extent:
    """Encapsulated pixels (PS3.5 A.4): items up to a delimiter. ``length`` is that of all fragments together."""
    offset, length, number = stream.tell(), 0, 0
    while True:
        head = stream.read(8)
        if len(head) < 8 or stream.tell() > size:
            raise Held("it ends in the middle of the pixel data; the file is truncated")
        group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
        own = int.from_bytes(head[4:], "little")
        if group << 16 | element == _SEQUENCE_END:
            return Extent(offset, length, vr, number)
        if group << 16 | element != _ITEM:
            raise Held(f"({group:04X},{element:04X}) stands where a fragment of the pixel data must begin")
        stream.seek(own, os.SEEK_CUR)
        length += own
        number += 1


def _items(
    stream: BinaryIO, implicit: bool, length: int, size: int, parent: Dataset, extents: list[Extent | None]
) -> Sequence:
    end = size if length == UNDEFINED else stream.tell() + length
    if end > size:
        raise Held(f"the waveform sequence needs {end} bytes, the file has {size}; it is truncated")
    items = []
    while stream.tell() < end:
        head = stream.read(8)
        if len(head) < 8:
            raise Held("it ends in the middle of the waveform sequence; the file is truncated")
        group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
        tag, item_length = group << 16 | element, int.from_bytes(head[4:], "little")
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise Held(f"({group:04X},{element:04X}) stands where an item of the waveform sequence must begin")
        item, extent = _item(stream, implicit, item_length, size, parent)
        items.append(item)
        extents.append(extent)
    return Sequence(items)


def _item(stream: BinaryIO, implicit: bool, length: int, size: int, parent: Dataset) -> tuple[Dataset, Extent | None]:
    end = size if length == UNDEFINED else stream.tell() + length
    item = Dataset()
    item.set_original_encoding(implicit, True, parent.original_character_set)
    extent = None
    elements = data_element_generator(
        stream, implicit, True, stop_when=_ascending(), defer_size=_DEFER, encoding=parent._character_set
    )
    while stream.tell() < end:
        found = next(elements, None)
        if found is None:
            break
        if stream.tell() > size:
            raise Held(f"{found.tag} is longer than the file; the file is truncated")
        if found.tag == WAVEFORM_DATA and isinstance(found, RawDataElement):
            extent = Extent(found.value_tell, found.length, found.VR)
        elif isinstance(found, RawDataElement) and found.value is None and found.length:
            item[found.tag] = found._replace(value=_value(stream, found))
        else:
            item[found.tag] = found
    return item, extent


def _value(stream: BinaryIO, element: RawDataElement) -> bytes:
    """A value that was passed over for its length but is none of the samples."""
    if element.length > _LARGEST_VALUE:
        raise Held(f"{element.tag} has {element.length} bytes, which is not believable")
    here = stream.tell()
    stream.seek(element.value_tell)
    value = stream.read(element.length)
    stream.seek(here)
    return value
