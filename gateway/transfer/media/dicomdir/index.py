"""The index of an open DICOMDIR: digest of an entity -> a number, in 16 bytes a slot.

A dict of Python numbers takes some 150 bytes an entry; 100 000 instances with what stands above them must fit into
32 MB together with the interpreter. So it is a table in one array: open addressing, linear probing, at most three
quarters full. A slot is two 64-bit words: the digest's first 64 bits; its last 12 bits above a 52-bit value, which is
never 0, so that 0 marks a free slot.

76 bits of a digest tell entities apart. Of 400 000 of them two are taken for one with a probability of 1 in 10^12,
and nobody can prepare two that are: the digests are keyed with a number drawn when the process starts.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from array import array

SIZE = 10  # bytes of a digest
LARGEST = (1 << 52) - 1  # value
_KEY = secrets.token_bytes(16)
_FEWEST = 1 << 10  # slots; always a power of two
_halves = struct.Struct("<QH").unpack


def digest(data: bytes) -> bytes:
    """SIZE bytes, the same for the same data while this process runs."""
    return hashlib.blake2b(data, digest_size=SIZE, key=_KEY).digest()


class Index:
    """Digest -> value, a number from 1 to LARGEST."""

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * (2 * _FEWEST)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) != 0

    def get(self, key: bytes) -> int:
        """The value; 0 if there is none."""
        word, rest = _halves(key)
        return self._slots[self._place(word, rest) + 1] & LARGEST

    def put(self, key: bytes, value: int) -> None:
        """Set the value of ``key``."""
        self.reserve(1)
        word, rest = _halves(key)
        place = self._place(word, rest)
        self._used += not self._slots[place + 1]
        self._slots[place] = word
        self._slots[place + 1] = (rest & 0xFFF) << 52 | value

    def reserve(self, more: int) -> None:
        """Make room for ``more`` entries at once."""
        slots = len(self._slots) >> 1
        while 4 * (self._used + more) > 3 * slots:
            slots *= 2
        if slots > len(self._slots) >> 1:
            self._grow(slots)

    def _place(self, word: int, rest: int) -> int:
        """Where the key stands, or the free slot where it may be put."""
        slots, rest = self._slots, rest & 0xFFF
        mask = len(slots) - 1
        place = word << 1 & mask
        while (second := slots[place + 1]) and (slots[place] != word or second >> 52 != rest):
            place = place + 2 & mask
        return place

    def _grow(self, slots: int) -> None:
        old = self._slots
        self._slots = array("Q", [0]) * (2 * slots)
        for at in range(0, len(old), 2):
            if second := old[at + 1]:
                place = self._place(old[at], second >> 52)
                self._slots[place] = old[at]
                self._slots[place + 1] = second
