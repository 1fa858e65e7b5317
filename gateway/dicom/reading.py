"""Reading a waveform file without its samples: the data set, and where each group's Waveform Data lies.

pydicom would load whole sequences; a recording may be larger than the memory. Here the Waveform Sequence is
walked item by item, and only the extent of (5400,1010) is noted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import data_element_generator, read_partial
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.errors import Held

# What pydicom would warn about while reading, gateway.dicom.check says in our words, with path and rule.
config.settings.reading_validation_mode = config.IGNORE

WAVEFORM_SEQUENCE = Tag(0x5400, 0x0100)
WAVEFORM_DATA = Tag(0x5400, 0x1010)
UNDEFINED = 0xFFFFFFFF
_DEFER = 1 << 12  # bytes: longer values of an item are looked at one by one
_LARGEST_VALUE = 64 << 20  # bytes of any value but the samples
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the value of one Waveform Data element lies in the file, and its VR as written."""

    offset: int
    length: int
    vr: str | None


@dataclass(frozen=True, slots=True)
class WaveformFile:
    """``dataset`` holds everything but Waveform Data; ``extents`` has one entry for each group, None if absent."""

    path: Path
    meta: FileMetaDataset
    dataset: Dataset
    extents: tuple[Extent | None, ...]
    size: int


def open_file(path: Path) -> WaveformFile:
    """Read a Part 10 file of any SOP class (Implicit or Explicit VR Little Endian) without its samples.

    Raises Held, in words, if it is no DICOM file, is truncated, or is in another transfer syntax.
    """
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            first = read_partial(stream, _ascending(WAVEFORM_SEQUENCE), defer_size=_LARGEST_VALUE)
            syntax = first.file_meta.get("TransferSyntaxUID")
            if syntax not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
                raise Held(f"{path} has the transfer syntax {syntax}, which is not read here", "use Explicit VR LE")
            implicit = syntax == ImplicitVRLittleEndian
            extents = _walk(stream, first, implicit, size)
    except OSError as error:
        raise Held(f"{path} cannot be read: {error.strerror}", "check the path") from error
    except Held:
        raise
    except Exception as error:  # foreign bytes: whatever pydicom trips over means the same to a person
        raise Held(f"{path} is no readable DICOM file ({error or type(error).__name__})") from error
    return WaveformFile(path, first.file_meta, first, extents, size)


def _ascending(stop: BaseTag | None = None) -> Callable[[BaseTag, str | None, int], bool]:
    """For pydicom's ``stop_when``: stops at ``stop`` and refuses what is no longer in order, such as endless zeros."""
    last = Tag(0)

    def look(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal last
        if stop is not None and tag >= stop:
            return True
        if tag < last or tag == Tag(0):
            raise Held(f"{tag} follows {last}: the elements are not in ascending order, the file is damaged")
        last = tag
        return False

    return look


def _walk(stream: BinaryIO, dataset: Dataset, implicit: bool, size: int) -> tuple[Extent | None, ...]:
    """Read what follows the stop before the Waveform Sequence into ``dataset``; returns the extents."""
    extents: list[Extent | None] = []
    while head := stream.read(8):
        if len(head) < 8:
            raise Held("it ends in the middle of an element; the file is truncated")
        tag = Tag(int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little"))
        if tag != WAVEFORM_SEQUENCE:
            stream.seek(-8, 1)
            _rest(stream, dataset, implicit, size)
            break
        length = int.from_bytes(head[4:] if implicit else stream.read(4), "little")
        dataset.WaveformSequence = _items(stream, implicit, length, size, dataset, extents)
    return tuple(extents)


def _rest(stream: BinaryIO, dataset: Dataset, implicit: bool, size: int) -> None:
    for element in data_element_generator(stream, implicit, True, stop_when=_ascending(), defer_size=_LARGEST_VALUE):
        if isinstance(element, RawDataElement) and stream.tell() > size:
            raise Held("an element is longer than the file; the file is truncated")
        dataset[element.tag] = element


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
