"""A device to try the gateway with: an OpenBCI Cyton played on a real pseudo-terminal.

The other side of :mod:`firmware_adapters.openbci_cyton`: answers its commands and sends given counts, at the device's
pace or faster, with the faults that real lines have. Written against the protocol document, not against our decoder.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
import tty
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_adapters.openbci_cyton import CHANNELS, RATE, microvolts_per_count
from firmware_adapters.simulated import Heart
from gateway import fsops

BANNER = b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"
Counts = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, by 0-based number of the sample."""

    drop: frozenset[int] = frozenset()  # lost between board and dongle
    repeat: frozenset[int] = frozenset()  # sent twice
    garbage: Mapping[int, bytes] = field(default_factory=dict)  # on the line before that sample
    unplug: int | None = None  # the cable is pulled before that sample
    mute: bool = False  # switched off: answers nothing
    impatient: bool = False  # as on a real wire: what a line that nobody reads has no room for is lost


def packet(counter: int, counts: Counts) -> bytes:
    """One packet of 33 bytes from 8 counts of 24 bit."""
    body = b"".join(int(c).to_bytes(3, "big", signed=True) for c in counts)
    return bytes((0xA0, counter & 0xFF)) + body + bytes(6) + b"\xc0"


class CytonPlayer:
    """A Cyton on the port ``link``. ``speed`` 1 is the device's pace; 0 is as fast as the reader takes it.

    ``counts`` has shape (samples, 8), 24-bit range. After its last sample the board is silent; ``loop`` begins again.
    """

    def __init__(
        self, link: Path, counts: Counts, speed: float = 1.0, faults: Faults | None = None, loop: bool = False
    ) -> None:
        self.link = link
        self.position = 0  # of the next sample
        self.commands: list[bytes] = []  # as received
        self.counts = counts
        self._speed = speed
        self._faults = faults or Faults()
        self._loop = loop
        self._master = self._slave = -1
        self._streaming = False
        self._counter = 0
        self._origin = (0.0, 0)  # (time, position) from which the pace is measured
        self._unsent = b""
        self._partial = b""
        self._line = threading.RLock()  # a descriptor that one thread closed may be another's socket a moment later
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._play, name="cyton", daemon=True)
        self.plug()

    def __enter__(self) -> CytonPlayer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.unplug()

    def plug(self) -> None:
        """Put the cable in: the port appears."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.link.symlink_to(os.ttyname(slave))
        with self._line:
            self._streaming, self._unsent, self._partial = False, b"", b""
            self._slave, self._master = slave, master

    def unplug(self) -> None:
        """Pull the cable: the port disappears, and whoever reads it gets an error."""
        with self._line:
            master, slave, self._master, self._slave = self._master, self._slave, -1, -1
            if master >= 0:
                fsops.unlink(self.link)
                os.close(slave)
                os.close(master)

    def _play(self) -> None:
        while not self._stopping.is_set():
            with self._line:
                if (master := self._master) >= 0:
                    self._make()
                wants = [master] if self._unsent else []
            if master < 0:
                self._stopping.wait(0.01)
                continue
            try:
                readable, writable, _ = select.select([master], wants, [], 0.005 if self._speed or not wants else 0.05)
                with self._line:
                    if self._master == master:
                        self._exchange(bool(readable), bool(writable))
            except BlockingIOError:
                continue
            except OSError:
                self._stopping.wait(0.01)  # nobody has the port open just now, or it was unplugged

    def _exchange(self, readable: bool, writable: bool) -> None:
        """Hear and say what the line takes, without waiting."""
        if readable:
            self._hear(os.read(self._master, 4096))
        if writable:
            self._unsent = self._unsent[os.write(self._master, self._unsent) :]
        if self._faults.unplug is not None and self.position >= self._faults.unplug and not self._unsent:
            self._faults = Faults()
            self._drain()
            self.unplug()

    def _drain(self) -> None:
        """What was sent before the cable is pulled has arrived."""
        until = time.monotonic() + 2.0
        while time.monotonic() < until and select.select([self._slave], [], [], 0)[0]:
            time.sleep(0.005)

    def _make(self) -> None:
        """The packets that are due now, at most 4 KiB of them beyond what the line takes: if this comes late, too."""
        if not self._streaming:
            return
        began, first = self._origin
        due = sys.maxsize if not self._speed else first + int((time.monotonic() - began) * RATE * self._speed)
        while self.position < due:
            if len(self._unsent) >= 4096:
                if not self._faults.impatient:
                    return
                with contextlib.suppress(OSError):  # no room, or nobody has the port open
                    self._unsent = self._unsent[os.write(self._master, self._unsent) :]
                    continue
                self._counter += 1
                self.position += 1
                continue
            i = self.position
            if i >= len(self.counts):
                if not self._loop:
                    return
                i %= len(self.counts)
            if self._faults.unplug is not None and self.position >= self._faults.unplug:
                return
            self._unsent += self._faults.garbage.get(self.position, b"")
            whole = packet(self._counter, self.counts[i])
            times = 0 if self.position in self._faults.drop else 2 if self.position in self._faults.repeat else 1
            self._unsent += whole * times
            self._counter += 1
            self.position += 1

    def _hear(self, data: bytes) -> None:
        """Commands, as the board's firmware takes them."""
        if self._faults.mute:
            return
        data, self._partial = self._partial + data, b""
        while data:
            command = data[:1]
            if command == b"x":
                if len(data) < 9:
                    self._partial = data
                    return
                command = data[:9]
                if not self._streaming:
                    self._unsent += b"Success: Channel set for " + command[1:2] + b"$$$"
            data = data[len(command) :]
            self.commands.append(command)
            if command == b"v":
                self._streaming, self._counter, self._unsent = False, 0, self._unsent + BANNER
            elif command == b"d":
                self._unsent += b"updating channel settings to default$$$"
            elif command == b"s":
                self._streaming, self._unsent = False, b""
            elif command == b"b":
                self._streaming, self._origin = True, (time.monotonic(), self.position)


def synthetic(seconds: int, gain: int = 24, seed: int = 1) -> Counts:
    """A plausible ECG as a Cyton with electrodes I, II, V1..V6 would count it, shape (250 x seconds, 8)."""
    heart = Heart(int(RATE), seed=seed)
    millivolts = np.concatenate([heart.second() for _ in range(seconds)])
    counts: Counts = np.round(millivolts * 1000.0 / microvolts_per_count(gain)).astype(np.int32)
    return counts


def wfdb_counts(record: Path, gain: int = 24, samples: int | None = None) -> Counts:
    """A WFDB record of format 212 as Cyton counts, shape (n, 8): its signals, scaled to the board, on the first inputs.

    One sample of the record is one sample of the board, whatever the record's rate: what is compared is counts.
    """
    lines = [line for line in record.with_suffix(".hea").read_text().splitlines() if line and line[0] != "#"]
    signals = int(lines[0].split()[1])
    names, forms, gains, _bits, zeros = zip(*(line.split()[:5] for line in lines[1 : 1 + signals]), strict=True)
    if signals > CHANNELS or set(forms) != {"212"} or len(set(names)) != 1:
        raise ValueError(f"{record}: only format 212 with at most {CHANNELS} signals in one file")
    packed = np.frombuffer((record.parent / names[0]).read_bytes(), np.uint8)
    three = packed[: len(packed) // 3 * 3].reshape(-1, 3).astype(np.int32)
    pairs = np.stack([three[:, 0] | (three[:, 1] & 0x0F) << 8, three[:, 2] | (three[:, 1] & 0xF0) << 4], axis=1)
    flat = np.where(pairs >= 2048, pairs - 4096, pairs).reshape(-1)
    raw = flat[: len(flat) // signals * signals].reshape(-1, signals)[:samples]
    per_millivolt = np.array([float(g.split("(")[0].split("/")[0]) for g in gains])
    millivolts = (raw - np.array([int(z) for z in zeros])) / per_millivolt
    counts: Counts = np.zeros((len(raw), CHANNELS), np.int32)
    counts[:, :signals] = np.round(millivolts * 1000.0 / microvolts_per_count(gain))
    return counts
