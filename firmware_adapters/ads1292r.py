"""ProtoCentral ADS1292R breakout or shield: one ECG lead and respiration, 125 Hz, as its Arduino sketch sends them.

Framing (protocentral-ads1292r-arduino, the OpenView example; the same family as OpenView's other boards):

    0A FA  length u16  type 02  ECG i16  respiration i16  two rates ...  00 0B      little-endian, 57600 baud

The published sketches come in two kinds, told apart by the length: 9 (until 2025) and 8 (since 2026). Both filter
the ECG (0.16 to 40 Hz) before they send it; a lifted electrode is sent as zeros. The board sends as long as it has
power, asked or not, so an acquisition begins only when somebody starts one.

There is no counter and no checksum. What is lost is seen only as silence or as broken framing, and its length
is then an estimate. Heart and respiration rate are the sketch's guess and are not recorded.

125 Hz is below the 200 Hz that 12-Lead and General ECG demand (PS3.3 A.34.3, A.34.4), and nothing is resampled to
look like more: it becomes an Ambulatory ECG (50 to 1000 Hz), however short it is. Respiration is sampled together
with the ECG and stays beside it in the one multiplex group that this class allows, with an annotation that nobody
calibrated it. It is coded as what it is
(109117, DCM), although the class defines ECG leads (CID 3001) for its channels: ``gateway check`` warns of it. To
leave it out would lose what was recorded; to call it a lead would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gateway import fields
from gateway.acquire.adapter import Adapter, Serial
from gateway.events import Event, Gap, Garbage, Samples, Started
from gateway.fields import setting
from gateway.model import Channel, Equipment, Kind, MultiplexGroup

RATE = 125.0  # Hz
HEAD, TYPE, TAIL = b"\x0a\xfa", 0x02, b"\x00\x0b"
OVERHEAD = 7  # bytes around the payload
# length of the payload -> (sketch, raw 24-bit counts per count sent): the old one drops 8 bits and divides by 4, the
# new one drops 4 bits; the filters that follow pass the ECG band with gain 1.
SKETCHES = {9: ("sketch with 9-byte payload", 1024), 8: ("sketch with 8-byte payload", 16)}
REFERENCE = 2.42e6  # uV, internal reference as the sketches set it (ADS1292R data sheet, CONFIG2)
_SILENT = 0.5  # seconds on a line read dry
_GARBAGE = 4096  # bytes, counted together at most


@dataclass(frozen=True, slots=True)
class Options:
    """What the board's electrodes are."""

    lead: str = setting("II", fields.text(16, r"\S+"), "the lead that its electrodes make")
    gain: int = setting(
        12, fields.whole(1, 12), "gain of the ECG channel as the sketch sets it (published sketch of 9 bytes: 12)"
    )


class Decoder:
    """The board as a pure machine."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._reset(wanted=False)

    def _reset(self, wanted: bool) -> None:
        self._wanted = wanted
        self._streaming = 0  # payload length of the sketch that streams
        self._buffer = bytearray()
        self._garbage = 0  # bytes not yet reported
        self._broken = 0  # bytes since the last packet that belong to none
        self._fed = 0.0  # when the last bytes came
        self._silence = 0.0  # seconds the line was seen dry before the next packet

    def start(self, now: float) -> Iterator[Event]:
        """The board takes no commands: what it sends from now on is taken."""
        self._reset(wanted=True)
        self._fed = now
        return iter(())

    def stop(self, now: float) -> Iterator[Event]:
        self._reset(wanted=False)
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        """Measures silence; ``now`` is when the line was read dry."""
        if self._streaming and not self._buffer:
            self._silence = max(self._silence, now - self._fed)
        return iter(())

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        if not self._wanted:
            return
        self._fed = now
        self._buffer += data
        pending: list[bytes] = []
        while (packet := self._next()) is not None:
            news = list(self._before(len(packet) - OVERHEAD, now))
            if news and pending:
                yield self._samples(pending, now)
                pending = []
            yield from news
            pending.append(packet[5:9])
        if pending:
            yield self._samples(pending, now)
        while self._garbage >= _GARBAGE:
            self._garbage -= _GARBAGE
            yield Garbage(_GARBAGE, now)

    def _before(self, length: int, now: float) -> Iterator[Event]:
        """What is to be said before a packet: garbage, silence, another sketch."""
        if self._garbage:
            yield Garbage(self._garbage, now)
        silence = self._silence if self._silence >= _SILENT else 0.0
        if self._streaming != length:
            self._streaming = length
            yield Started(Equipment("ProtoCentral", "ADS1292R", software=SKETCHES[length][0]), (self._group(),))
        elif silence:
            yield Gap("the device was silent", now, samples=max(1, round(silence * RATE) - 1), seconds=silence)
        elif self._broken:
            yield Gap("broken packets", now, samples=max(1, round(self._broken / (length + OVERHEAD))))
        self._garbage, self._broken, self._silence = 0, 0, 0.0

    def _next(self) -> bytes | None:
        """The next whole packet; bytes that belong to none are dropped and counted."""
        buffer = self._buffer
        while buffer:
            at = buffer.find(HEAD)
            if at < 0:
                at = len(buffer) - (buffer[-1] == HEAD[0])
            self._drop(at)
            if len(buffer) < 5:
                return None
            length = int.from_bytes(buffer[2:4], "little")
            whole = length + OVERHEAD
            if length in SKETCHES and buffer[4] == TYPE:
                if len(buffer) < whole:
                    return None
                if buffer[whole - 2 : whole] == TAIL:
                    packet = bytes(buffer[:whole])
                    del buffer[:whole]
                    return packet
            self._drop(1)
        return None

    def _drop(self, count: int) -> None:
        self._garbage += count
        self._broken += count
        del self._buffer[:count]

    @staticmethod
    def _samples(payloads: list[bytes], now: float) -> Samples:
        pairs = np.frombuffer(b"".join(payloads), "<i2").reshape(-1, 2)
        return Samples(pairs.astype(np.int32), now)

    def _group(self) -> MultiplexGroup:
        raw = SKETCHES[self._streaming][1]
        scale = REFERENCE / self._options.gain / (2**23 - 1) * raw
        ecg = Channel(self._options.lead, "uV", scale, bits=16, low_cut=0.16, high_cut=40.0)
        # Respiration is impedance in counts that nobody calibrated: no unit is the honest unit.
        return MultiplexGroup("ECG and respiration", RATE, (ecg, Channel("Respiration", "1", 1.0, bits=16)))


ADAPTER = Adapter(
    name="ads1292r", kind=Kind.ECG, transport=Serial(baud=57600), decoder=Decoder, version="1", options=Options
)
