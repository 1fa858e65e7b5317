"""The hashes of all files on a medium in memory: some 65 bytes a file, where a dict of texts takes 350."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gateway.transfer.media.dicomdir import index

_FILE_ID = re.compile(r"PA(\d{6})/ST(\d{6})/SE(\d{6})/IN(\d{6})")
_NAME, _HASH = 10, 32  # bytes


class Known(Mapping[str, str]):
    """File ID of ours -> SHA-256 in hexadecimal, as a dict made of the same pairs would have it."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._rows = bytearray()  # name and hash of each file
        self._places = index.Index()  # digest of the name -> row, counted from 1
        for file_id, sha256 in pairs:
            self._put(_packed(file_id), bytes.fromhex(sha256))

    def __getitem__(self, file_id: str) -> str:
        name = _packed(file_id) if _FILE_ID.fullmatch(file_id) else b""
        if not (row := self._row(name)):
            raise KeyError(file_id)
        return self._rows[row * (_NAME + _HASH) - _HASH : row * (_NAME + _HASH)].hex()

    def __len__(self) -> int:
        return len(self._rows) // (_NAME + _HASH)

    def __iter__(self) -> Iterator[str]:
        for at in range(0, len(self._rows), _NAME + _HASH):
            yield "PA{}/ST{}/SE{}/IN{}".format(*_parts(self._rows[at : at + _NAME]))

    def _put(self, name: bytes, sha256: bytes) -> None:
        if row := self._row(name):
            self._rows[row * (_NAME + _HASH) - _HASH : row * (_NAME + _HASH)] = sha256
        else:
            self._rows += name + sha256
            self._places.put(index.digest(name), len(self))

    def _row(self, name: bytes) -> int:
        return self._places.get(index.digest(name))


def _packed(file_id: str) -> bytes:
    """24 digits in 10 bytes."""
    return int("".join(file_id[at : at + 6] for at in (2, 11, 20, 29))).to_bytes(_NAME, "big")


def _parts(name: bytes | bytearray) -> tuple[str, ...]:
    digits = f"{int.from_bytes(name, 'big'):024}"
    return tuple(digits[at : at + 6] for at in (0, 6, 12, 18))
