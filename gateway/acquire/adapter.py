"""The adapter API: what somebody writes who teaches the gateway a new device.

An adapter declares its transport as data and turns bytes into events. It opens no port, reads no clock,
starts no thread; the shell of its transport does that and calls :class:`Decoder`. Adapters are found through
the entry-point group ``gateway.adapters``, ours and other people's alike::

    ADAPTER = Adapter(name="acme-ecg", kind=Kind.ECG, transport=Serial(baud=115200), decoder=Decoder)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import Misuse
from gateway.events import Event
from gateway.model import Kind

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "gateway.adapters"


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial line, 8N1 unless said otherwise. The port's path comes from the configuration."""

    baud: int
    bits: int = 8
    parity: str = "N"
    stop_bits: float = 1.0


@dataclass(frozen=True, slots=True)
class Internal:
    """No line at all: the decoder makes its own events in ``tick`` (a simulated device)."""


@dataclass(frozen=True, slots=True)
class Video:
    """A Video4Linux device: the kernel gives whole frames, so there is nothing to decode. The adapter's options are
    :class:`gateway.acquire.v4l2.options.Options`.
    """


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the Lab Streaming Layer: liblsl gives whole samples, so there is nothing to decode. The adapter's
    options are :class:`gateway.acquire.lsl.options.Options`.
    """


ReadAt = Callable[[int, int], bytes]  # offset and length; fewer bytes at the end of the file


def lacks_nothing(_read: ReadAt, _size: int) -> str:
    """For files that do not tell how long they are."""
    return ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that the device drops files into. Its path comes from the configuration.

    The decoder gets one file after the other: ``start``, its bytes in ``feed`` cut anywhere, and ``stop`` at its end,
    which must yield Finished if the file was whole. What is not, or is no such file, raises
    :class:`gateway.errors.Unreadable` from any of them: then nothing of the file is kept, and it stays where it is.
    """

    patterns: tuple[str, ...]  # of names, as the shell writes them, in either case: ("*.edf", "*.bdf")
    # In words, what a file of that size still lacks by its own account: "" once it has all that it announces.
    lacks: Callable[[ReadAt, int], str] = lacks_nothing


Transport = Serial | Internal | Video | Stream | Folder


class Decoder(Protocol):
    """One device's protocol as a pure machine: bytes and time in, events out.

    ``now`` is monotonic seconds. ``feed`` takes whatever piece of the stream the shell got, however cut; the
    same stream in other pieces must give the same events. ``tick`` comes a few times a second, always with a line
    that was read dry just before ``now``: what ``feed`` did not get by then had not come.

    ``start`` begins from nothing (also after the line was lost and opened again): handshake, settings, stream. A
    device that begins by itself may yield Started without it. ``stop`` ends the stream. Any of them raises Retry,
    in words for a person, when the device does not answer as it should; the shell opens the line again later.

    For files the same four mean what :class:`Folder` says.
    """

    def start(self, now: float) -> Iterator[Event]: ...

    def stop(self, now: float) -> Iterator[Event]: ...

    def feed(self, data: bytes, now: float) -> Iterator[Event]: ...

    def tick(self, now: float) -> Iterator[Event]: ...


class Undecoded:
    """For a transport that gives events itself (:class:`Video`, :class:`Stream`): nothing is left to decode."""

    def __init__(self, options: Any) -> None:
        """They are the transport's."""

    def start(self, now: float) -> Iterator[Event]:
        return iter(())

    def stop(self, now: float) -> Iterator[Event]:
        return iter(())

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        return iter(())


@dataclass(frozen=True, slots=True)
class NoOptions:
    """For adapters without settings of their own."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a device needs, as data. ``options`` is a settings section (:func:`gateway.fields.setting`).

    ``others``: further kinds than ``kind`` that its Started may name.
    """

    name: str
    kind: Kind
    transport: Transport
    decoder: Callable[[Any], Decoder]  # called with an instance of ``options``
    version: str = "1"
    options: type = NoOptions
    others: tuple[Kind, ...] = ()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (self.kind, *self.others)


def installed() -> dict[str, Adapter]:
    """All adapters that are installed, by name."""
    return {entry.name: _load(entry) for entry in _entries()}


def adapter_named(name: str) -> Adapter:
    """Raises Misuse, naming what there is, if no adapter has that name."""
    entries = {entry.name: entry for entry in _entries()}
    if name not in entries:
        raise Misuse(f"there is no adapter {name!r}", "installed: " + ", ".join(sorted(entries)))
    return _load(entries[name])


def _entries() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415  a command that asks no adapter need not load it

    return entry_points(group=GROUP)


def _load(entry: EntryPoint) -> Adapter:
    try:
        adapter = entry.load()
    except ImportError as error:
        raise Misuse(f"the adapter {entry.name!r} cannot be loaded: {error}", "reinstall its package") from error
    if not isinstance(adapter, Adapter):
        raise Misuse(f"{entry.value} is no Adapter", "see firmware_adapters/README.md")
    return adapter
