"""OpenBCI Cyton: 8 channels of 24 bit at 250 Hz over a radio dongle that is a serial port.

Protocol (OpenBCI documentation, "Cyton Data Format" and "Cyton Board SDK", firmware v2 and v3): 115200 baud; ``s``
stops, ``v`` resets and answers a banner that ends in ``$$$``; ``c`` leaves out a Daisy board; ``1``..``8`` power a
channel off; ``x CHANNEL POWER GAIN INPUT BIAS SRB2 SRB1 X`` sets one and answers ``...$$$``; ``b`` starts the stream:

    A0  counter  8 x 24-bit big-endian signed  6 auxiliary bytes  C0..CF        33 bytes, no checksum

The counter runs 0..255, so it tells losses below 256 packets; longer ones need the time, and only a line that was
read dry tells time (:meth:`Decoder.tick`). Wiring for a 12-lead ECG: I and II as differential pairs, V1..V6 against
Wilson's central terminal, which the cable's resistors make on the N inputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from gateway import fields
from gateway.acquire.adapter import Adapter, Serial
from gateway.errors import Retry
from gateway.events import Event, Gap, Garbage, Marker, Reply, Samples, Started
from gateway.fields import setting
from gateway.model import Channel, Equipment, Kind, MultiplexGroup

RATE = 250.0  # Hz
PACKET = 33  # bytes
START, STOP = 0xA0, 0xC  # first byte; high half of the last one
CHANNELS = 8
GAINS = {1: 0, 2: 1, 4: 2, 6: 3, 8: 4, 12: 5, 24: 6}  # gain -> code in the x command
_BANNER, _END = b"OpenBCI V3", b"$$$"
_LONGEST_ANSWER = 1024  # bytes; a banner is about 100
_ANSWER_WITHIN = 3.0  # seconds
_TRIES = 2
_AT_ONCE = 25  # packets that come together on a line that is well
_SLACK = 40  # packets: what the silence may be told wrong, mostly by the turns in which it is looked at
_SILENT = 0.5  # seconds without a byte on a line read dry: the counter may have gone round meanwhile
_REMEMBERED = 16  # packets, to know a repeated one
_GARBAGE = 4096  # bytes, counted together at most

Bytes = NDArray[np.uint8]


def gain_of(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in GAINS:
        raise ValueError
    return value


@dataclass(frozen=True, slots=True)
class Options:
    """What is connected to the board's inputs, in their order."""

    leads: tuple[str, ...] = setting(
        ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
        fields.many(fields.text(16, r"\S+"), CHANNELS),
        "electrodes or leads on inputs 1 to 8; inputs without one are powered off",
    )
    gain: int = setting(24, fields.Check("one of 1, 2, 4, 6, 8, 12, 24", gain_of), "amplifier gain")
    reference: str = setting(
        "differential",
        fields.choice("differential", "SRB1", "SRB2"),
        "each input against its own N pin, all N on SRB1, or all P on SRB2",
    )


def microvolts_per_count(gain: int) -> float:
    """ADS1299: full scale is 4.5 V / gain at 2^23 - 1 counts."""
    return 4.5e6 / gain / (2**23 - 1)


class _State(Enum):
    IDLE = auto()
    RESET = auto()  # v was sent, the banner is awaited
    SETTING = auto()  # channel settings were sent, their answers are awaited
    BEGUN = auto()  # b was sent, the first packet is awaited
    STREAMING = auto()


class Decoder:
    """The board as a pure machine. Loses no sample and invents none: what is missing becomes a Gap."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._reset(_State.IDLE)

    def _reset(self, state: _State) -> None:
        self._state = state
        self._buffer = bytearray()
        self._software = ""
        self._answers = 0  # still awaited
        self._deadline = 0.0
        self._tries = 0
        self._locked = False  # the last packet ended where the next must begin
        self._garbage = 0
        self._repeated = 0
        self._counter = -1  # of the last accepted packet
        self._recent: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._fed = 0.0  # when the last bytes came
        self._silence = 0.0  # seconds the line was seen dry before the next packet

    def start(self, now: float) -> Iterator[Event]:
        self._reset(_State.RESET)
        yield from self._ask_for_banner(now)

    def stop(self, now: float) -> Iterator[Event]:
        if self._state is not _State.IDLE:
            yield from self._flush(now)
            yield Reply(b"s")
        self._reset(_State.IDLE)

    def _ask_for_banner(self, now: float) -> Iterator[Event]:
        """A board that still streams to a capture that was killed is stopped first."""
        self._state, self._tries, self._deadline = _State.RESET, self._tries + 1, now + _ANSWER_WITHIN
        self._buffer.clear()
        yield Reply(b"s")
        yield Reply(b"v")

    def tick(self, now: float) -> Iterator[Event]:
        """Time-outs of the handshake (raises Retry when the board does not answer), and silence while streaming."""
        if self._state is _State.STREAMING and self._buffer:
            pass  # in the middle of a packet: the device was held up, which loses nothing
        elif self._state is _State.STREAMING:
            self._silence = max(self._silence, now - self._fed)
        elif self._state is not _State.IDLE and now >= self._deadline:
            if self._tries < _TRIES:
                yield from self._ask_for_banner(now)
                return
            self._reset(_State.IDLE)
            raise Retry(
                "the OpenBCI Cyton does not answer on this port",
                "switch the board on (PC side of its switch), check that its radio channel is the dongle's and that "
                "no other program uses the port",
            )

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        if self._state is _State.IDLE:
            return
        self._buffer += data
        if self._state is _State.RESET:
            yield from self._read_banner(now)
        if self._state is _State.SETTING:
            yield from self._read_answers(now)
        if self._state in (_State.BEGUN, _State.STREAMING):
            yield from self._read_packets(now)
            self._fed = now

    def _read_banner(self, now: float) -> Iterator[Event]:
        text = self._answer(_BANNER)
        if text is None:
            return
        self._software = next((w.strip() for w in _after(text, "Firmware:")), "")
        options = self._options
        daisy = "On Daisy" in text
        commands = "c" if daisy else ""
        for i in range(1, CHANNELS + 1):
            if i > len(options.leads):
                commands += str(i)
                continue
            wiring = {"differential": "00", "SRB2": "10", "SRB1": "01"}[options.reference]
            commands += f"x{i}0{GAINS[options.gain]}01{wiring}X"
        self._answers = len(options.leads) + daisy
        self._state, self._deadline = _State.SETTING, now + _ANSWER_WITHIN
        yield Reply(commands.encode())

    def _read_answers(self, now: float) -> Iterator[Event]:
        while self._answers and (text := self._answer(b"")) is not None:
            if "Failure" in text:
                self._reset(_State.IDLE)
                raise Retry(
                    f"the OpenBCI Cyton refused its settings ({' '.join(text.split())[:80]})",
                    "firmware v2 or newer is needed",
                )
            self._answers -= 1
        if not self._answers:
            self._state, self._deadline = _State.BEGUN, now + _ANSWER_WITHIN
            yield Reply(b"b")

    def _answer(self, head: bytes) -> str | None:
        """The text from ``head`` to the next ``$$$``, taken out of the buffer; what stands before it is dropped."""
        buffer = self._buffer
        while True:
            at = buffer.find(head)
            if at < 0:
                del buffer[: max(0, len(buffer) - len(head) + 1)]
                return None
            del buffer[:at]
            end = buffer.find(_END, 0, _LONGEST_ANSWER)
            if end >= 0:
                text = bytes(buffer[:end]).decode("ascii", "replace")
                del buffer[: end + len(_END)]
                return text
            if len(buffer) < _LONGEST_ANSWER:
                return None
            del buffer[: max(1, len(head))]

    def _read_packets(self, now: float) -> Iterator[Event]:
        while len(self._buffer) >= PACKET:
            if not self._locked and not self._find_packet():
                break
            whole = len(self._buffer) // PACKET
            rows = np.frombuffer(bytes(self._buffer[: whole * PACKET]), np.uint8).reshape(whole, PACKET)
            good = (rows[:, 0] == START) & (rows[:, -1] >> 4 == STOP)
            count = whole if good.all() else int(np.argmin(good))
            del self._buffer[: count * PACKET]
            self._locked = count == whole
            if count:
                yield from self._take(rows[:count], now)
        while self._garbage >= _GARBAGE:
            self._garbage -= _GARBAGE
            yield Garbage(_GARBAGE, now)

    def _find_packet(self) -> bool:
        """Drop bytes until a packet begins that is confirmed by the beginning of a next one."""
        buffer = self._buffer
        at = buffer.find(START)
        while 0 <= at < len(buffer) - PACKET:
            if buffer[at + PACKET - 1] >> 4 == STOP and buffer[at + PACKET] == START:
                break
            at = buffer.find(START, at + 1)
        drop = at if at >= 0 else len(buffer)
        self._garbage += drop
        del buffer[:drop]
        self._locked = len(buffer) > PACKET
        return self._locked

    def _take(self, rows: Bytes, now: float) -> Iterator[Event]:
        """Packets that stand in a row on the line; their counters say what is missing or repeated."""
        if self._state is _State.BEGUN:
            self._state = _State.STREAMING
            self._garbage = 0  # the rest of the handshake
            self._counter = (int(rows[0, 1]) - 1) & 0xFF
            yield Started(Equipment("OpenBCI", "Cyton", software=self._software), (self._group(),))
        if self._garbage:
            yield Garbage(self._garbage, now)
            self._garbage = 0
        while len(rows):
            dry, self._silence = self._silence if self._silence >= _SILENT else 0.0, 0.0
            steps = np.diff(rows[:, 1], prepend=np.uint8(self._counter))
            ahead = int(np.argmax(steps != 1)) if (steps != 1).any() else len(rows)
            if not ahead or dry:
                if not dry and rows[0].tobytes() in self._recent:
                    self._repeated += 1
                    rows = rows[1:]
                    continue
                yield from self._flush(now)
                if lost := _missing(int(steps[0]), dry, len(rows)):
                    yield Gap("packets lost between the board and its dongle", now, samples=lost)
                ahead = ahead if steps[0] == 1 else 1
            yield from self._flush(now)
            yield Samples(_counts(rows[:ahead], len(self._options.leads)), now)
            self._recent.extend(row.tobytes() for row in rows[max(0, ahead - _REMEMBERED) : ahead])
            self._counter = int(rows[ahead - 1, 1])
            rows = rows[ahead:]

    def _flush(self, now: float) -> Iterator[Event]:
        if self._repeated:
            yield Marker(f"the device repeated {self._repeated} packet(s), which were ignored", now)
            self._repeated = 0

    def _group(self) -> MultiplexGroup:
        scale = microvolts_per_count(self._options.gain)
        # ADS1299 data sheet: the decimation filter's -3 dB point at 250 SPS; the input is DC coupled.
        return MultiplexGroup("ECG", RATE, tuple(Channel(e, "uV", scale, high_cut=65.0) for e in self._options.leads))


def _after(text: str, word: str) -> Iterator[str]:
    return (line.split(word, 1)[1] for line in text.splitlines() if word in line)


def _missing(step: int, dry: float, burst: int) -> int:
    """How many packets are missing before one whose counter is ``step`` further, after ``dry`` seconds of silence.

    The counter tells it but for whole turns of 256. Those are believed only if the silence, less what a line that was
    merely held up has saved and now gives in one ``burst`` of packets, is as long as they are: what is missing may be
    told too short by a turn, but nothing is invented.
    """
    advance = step or 256  # the same number with other content: the counter went round
    silent = dry * RATE - max(0, burst - _AT_ONCE)
    turns = max(0, round((silent - advance) / 256))
    return advance - 1 + (256 * turns if abs(silent - advance - 256 * turns) <= _SLACK + 0.01 * silent else 0)


def _counts(rows: Bytes, channels: int) -> NDArray[np.int32]:
    """24-bit big-endian two's complement to int32, shape (packets, channels)."""
    wide = np.zeros((len(rows), channels, 4), np.uint8)
    wide[:, :, :3] = rows[:, 2 : 2 + 3 * channels].reshape(len(rows), channels, 3)
    counts: NDArray[np.int32] = wide.view(">i4")[:, :, 0].astype(np.int32) >> 8
    return counts


ADAPTER = Adapter(
    name="openbci_cyton", kind=Kind.ECG, transport=Serial(baud=115200), decoder=Decoder, version="1", options=Options
)
