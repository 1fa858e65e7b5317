"""Reading a raw byte sequence payload of H.264 bit by bit (ITU-T H.264 7.2 and 9.1)."""

from __future__ import annotations

from gateway.dicom.frames.jpeg import Malformed

_MOST = 512  # bytes of a payload that are looked at


class Bits:
    """``unit``: a NAL unit without its first byte; emulation prevention is undone here."""

    def __init__(self, unit: bytes) -> None:
        data = unit[:_MOST].replace(b"\0\0\3", b"\0\0")
        self._left = 8 * len(data)
        self._value = int.from_bytes(data, "big")

    def u(self, count: int) -> int:
        """The next ``count`` bits. Raises Malformed behind the end."""
        if count > self._left:
            raise Malformed("ends in the middle of a header")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.u(1))

    def ue(self) -> int:
        """Exp-Golomb, unsigned."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise Malformed("has an impossible number in a header")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Exp-Golomb, signed."""
        coded = self.ue()
        return (coded + 1) // 2 if coded % 2 else -(coded // 2)
