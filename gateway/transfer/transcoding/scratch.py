"""An instance in another transfer syntax, in a file without a name: whatever happens, nothing is left of it.

Such a file is opened anew by way of /proc, so that everybody who sends files can send it. It may not fill the disk that
the recordings need, and is refused while there is no room.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.errors import Held, Misuse, Retry, in_words
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.lossless import STREAMED
from gateway.transfer.media.dicomdir.elements import encode
from gateway.transfer.names import EXPLICIT, IMPLICIT
from gateway.transfer.transcoding import LARGEST, implicit

_SPARE = 64 << 20  # bytes that stay free, at least
_BLOCK = 1 << 20

Beat = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Transcoded:
    """``instance``: the same SOP Instance, in the scratch file; ``sha256`` is of that file."""

    instance: InstanceRef
    sha256: str


@contextlib.contextmanager
def transcoded(instance: InstanceRef, syntax: str, folder: Path, beat: Beat = lambda: None) -> Iterator[Transcoded]:
    """``instance`` in Explicit or Implicit VR Little Endian, in a file of the disk under ``folder``, as long as the
    block lasts; compared with the original.

    Raises Held, in words, if that cannot be done without loss; Retry if there is no room now, or the disk fails.
    """
    try:
        _room_for(instance, syntax, folder)
        with contextlib.ExitStack() as files:
            made = files.enter_context(_file(folder))
            if syntax == EXPLICIT:
                _explicit(instance, made, beat)
            elif instance.transfer_syntax_uid == EXPLICIT:
                _implicit(Path(instance.path), instance, made, beat)
            else:
                with _file(folder) as between:
                    _explicit(instance, between, beat)
                    _implicit(_reached(between), instance, made, beat)
            digest = _sha256(made, beat)
            path, size = str(_reached(made)), os.fstat(made.fileno()).st_size
            reference = dataclasses.replace(
                instance, transfer_syntax_uid=syntax, path=path, size=size, sha256=digest.hexdigest()
            )
            yield Transcoded(reference, reference.sha256)
    except OSError as error:
        raise Retry(f"{Path(instance.path).name} cannot be transcoded now: {in_words(error)}") from error


def _file(folder: Path) -> BinaryIO:
    return tempfile.TemporaryFile(dir=folder, prefix=".transcoded-")


def _reached(stream: BinaryIO) -> Path:
    stream.flush()
    return Path(f"/proc/self/fd/{stream.fileno()}")


def _room_for(instance: InstanceRef, syntax: str, folder: Path) -> None:
    """Implicit VR is never longer than Explicit; what unfolds is bounded, or says how long it is."""
    streamed = (instance.transfer_syntax_uid, syntax) == (EXPLICIT, IMPLICIT)
    needed = _SPARE + (instance.size if streamed else 2 * LARGEST)
    if instance.transfer_syntax_uid in STREAMED:
        from gateway.transfer.transcoding import unfolding  # noqa: PLC0415 - pydicom, only where it is needed

        needed = _SPARE + instance.size + unfolding.size(Path(instance.path)) * (2 if syntax == IMPLICIT else 1)
    if (free := shutil.disk_usage(folder).free) < needed:
        raise Retry(
            f"{Path(instance.path).name} cannot be transcoded now: {free >> 20} MiB are free in {folder}, "
            f"it needs {needed >> 20}",
            "make room on the disk",
        )


def _explicit(instance: InstanceRef, target: BinaryIO, beat: Beat) -> None:
    from gateway.transfer.transcoding import explicit, unfolding  # noqa: PLC0415 - decoders, only where they are needed

    if instance.transfer_syntax_uid in STREAMED:
        unfolding.unfold(Path(instance.path), target, beat)
    else:
        explicit.to_explicit_little_endian(Path(instance.path), target, beat=beat)


def _implicit(source: Path, instance: InstanceRef, target: BinaryIO, beat: Beat) -> None:
    with source.open("rb") as stream:
        try:
            offset = part10.read(stream.fileno(), instance.path).offset
        except Misuse as error:
            raise Held(error.message) from error
        target.write(_meta(instance))
        try:
            implicit.to_implicit_little_endian(stream, offset, target, beat)
        except Held as error:
            raise Held(f"{instance.path} cannot be transcoded: {error.message}") from error


def _meta(instance: InstanceRef) -> bytes:
    """Preamble and File Meta Information (PS3.10 section 7.1)."""
    meta = encode(0x00020001, b"OB", b"\0\1")
    for tag, uid in (
        (0x00020002, instance.sop_class_uid),
        (0x00020003, instance.sop_instance_uid),
        (0x00020010, IMPLICIT),
        (0x00020012, IMPLEMENTATION_CLASS_UID),
    ):
        meta += encode(tag, b"UI", uid.encode("ascii"))
    meta += encode(0x00020013, b"SH", IMPLEMENTATION_VERSION.encode("ascii"))
    return bytes(128) + b"DICM" + encode(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta


def _sha256(stream: BinaryIO, beat: Beat) -> hashlib._Hash:
    stream.seek(0)
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
        beat()
    return digest
