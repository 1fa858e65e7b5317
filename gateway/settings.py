"""The one settings table: what may stand in the configuration file, what it means, what is allowed.

:mod:`gateway.configuration` reads files by it. Secrets never stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway import fields
from gateway.destination import Destination
from gateway.device import Device
from gateway.errors import Misuse
from gateway.fields import setting
from gateway.places import Places
from gateway.profile import UNKNOWN, Profile
from gateway.repository import Repository
from gateway.unidentified import Emergency

DEFAULT_FILE = Path("/etc/gateway/gateway.toml")


@dataclass(frozen=True, slots=True)
class Box:
    """Who this box is."""

    ae_title: str = setting("GATEWAY", fields.ae_title(), "AE title of this box towards RIS and PACS")
    station_name: str = setting("", fields.text(16), "Station Name (0008,1010) in what leaves the box")
    institution_name: str = setting("", fields.text(64), "Institution Name (0008,0080)")
    department: str = setting("", fields.text(64), "Institutional Department Name (0008,1040)")
    data: Path = setting(Path("/var/lib/gateway"), fields.folder(), "where recordings and instances are kept")
    runtime: Path = setting(Path("/run/gateway"), fields.folder(), "where the processes' local sockets lie")


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """When the wall clock is believed."""

    trust: str = setting(
        "ntp", fields.choice("ntp", "always"), '"ntp": when the kernel says it is synchronized; "always": no NTP here'
    )
    wait: int = setting(60, fields.whole(0, 86400, "seconds"), "how long wrapping waits for a trusted clock")
    untrusted: str = setting(
        "send", fields.choice("send", "hold"), "after that: send with Acquisition Time Synchronized = N, or hold"
    )


@dataclass(frozen=True, slots=True)
class Listener:
    """Where PACS may call back with storage commitment reports (and anybody with C-ECHO)."""

    host: str = setting("0.0.0.0", fields.text(255, r"\S+"), "address to listen on; 127.0.0.1 for this box only")
    port: int = setting(11112, fields.whole(0, 65535), "port; 0 turns the listener off")
    peers: tuple[str, ...] = setting(
        (), fields.many(fields.ae_title()), "AE titles that may call, and report for any destination, besides its own"
    )
    addresses: tuple[str, ...] = setting(
        (),
        fields.many(fields.network()),
        'only these may call: the PACS\' addresses, or networks as "192.0.2.0/24"; empty: any address',
    )
    associations: int = setting(16, fields.whole(2, 64), "at a time; half of them at most for one address")


@dataclass(frozen=True, slots=True)
class Ris:
    """A RIS: gives the worklist, takes the performed procedure steps."""

    name: str = setting(..., fields.name(), "its name on this box")
    ae_title: str = setting(..., fields.ae_title(), "its AE title")
    host: str = setting(..., fields.text(255, r"\S+"), "its host name or address")
    port: int = setting(104, fields.whole(1, 65535), "its port")
    worklist: bool = setting(True, fields.yes_no(), "ask it for the worklist (C-FIND)")
    mpps: bool = setting(True, fields.yes_no(), "report performed procedure steps to it (MPPS)")
    modality: str = setting(
        "ECG", fields.text(16, r"[A-Z0-9_ ]*"), "worklist key Modality (ECG, EEG, HD, ...); empty = all"
    )
    any_station: bool = setting(False, fields.yes_no(), "do not restrict the worklist to this box's AE title")
    character_set: str = setting(
        "",
        fields.text(16, r"[A-Z0-9_ ]*"),
        'of its worklist if it does not say so itself, for example "ISO_IR 100"; empty: then only ASCII is taken',
    )
    poll: int = setting(60, fields.whole(5, 86400, "seconds"), "how often the worklist is refreshed")
    most: int = setting(500, fields.whole(1, 10000), "at most so many worklist items are taken")
    longest: float = setting(120.0, fields.number(1, 3600, "seconds"), "a slower worklist is cancelled; the last stays")
    timeout: float = setting(15.0, fields.number(1, 600, "seconds"), "no progress for so long is a failure")


@dataclass(frozen=True, slots=True)
class Media:
    """Media that get a copy of every instance, with a DICOMDIR: a folder, sticks that come and go, or both."""

    folder: Path | None = setting(
        None,
        fields.folder(optional=True),
        "root of a file-set that is always there, filled before any stick; empty = none",
    )
    sticks: tuple[str, ...] = setting(
        (),
        fields.many(fields.stick()),
        "USB sticks and SD cards that the box may use; a label is a name that anybody can give; "
        '"ask": any other one after a person said so (gateway media allow, or the page)',
    )
    file_set_id: str = setting(
        "GATEWAY",
        fields.text(16, r"[A-Z0-9_ ]*"),
        "File-set ID (0004,1130) of the first medium; the next ones are called GATEWAY_2, GATEWAY_3, ...",
    )
    policy: str = setting(
        "copy", fields.choice("copy", "media-verified"), '"media-verified": a checked copy counts as a destination'
    )
    profile: str = setting(
        "STD-GEN-USB-JPEG",
        fields.choice("STD-GEN-USB-JPEG", "STD-GEN-USB-J2K", "STD-GEN-SD-JPEG", "STD-GEN-SD-J2K", "none"),
        "application profile (PS3.11) of a new file-set; an existing one keeps its own; none = anything, no promise",
    )
    unfit: str = setting(
        "hold",
        fields.choice("hold", "transcode"),
        "an instance that does not fit the profile: hold it, or transcode it without loss to Explicit VR Little Endian",
    )
    pages: bool = setting(
        True, fields.yes_no(), "INDEX.HTM, README.TXT and IHE_PDI: pages with a picture of each ECG and still (IHE PDI)"
    )
    contact: str = setting("", fields.text(255), "whom to ask about a medium; stands in its README.TXT")
    foreign: str = setting(
        "extend",
        fields.choice("extend", "refuse"),
        'a medium with another program\'s DICOMDIR: "extend" adds to it, what is there stays; "refuse" leaves it alone',
    )
    wait: float = setting(
        30.0,
        fields.number(0, 3650, "days"),
        'with policy "copy": so long what all destinations have is kept for a medium that does not come',
    )


@dataclass(frozen=True, slots=True)
class Spool:
    """The buffer on disk."""

    retention: float = setting(
        7.0, fields.number(0, 3650, "days"), "how long an instance is kept after every destination took responsibility"
    )
    reserve: int = setting(
        512, fields.whole(0, 1 << 20, "MiB"), "so much stays free, beside what a new recording is expected to take"
    )
    warn: int = setting(
        2048, fields.whole(0, 1 << 20, "MiB"), "below so much free space status and log say so, while there is time"
    )
    scrub: float = setting(
        7.0, fields.number(0, 3650, "days"), "how often each instance is read again and compared; 0 = never"
    )


@dataclass(frozen=True, slots=True)
class Console:
    """The status page and the local API."""

    host: str = setting("127.0.0.1", fields.text(255, r"\S+"), "address to listen on")
    port: int = setting(8104, fields.whole(0, 65535), "port; 0 turns the page off")


E = TypeVar("E", Device, Ris, Destination, Profile)

ONE: dict[str, type] = {
    "gateway": Box,
    "clock": ClockSettings,
    "listener": Listener,
    "media": Media,
    "spool": Spool,
    "console": Console,
    "emergency": Emergency,
    "audit": Repository,
}
MANY: dict[str, type] = {"device": Device, "profile": Profile, "ris": Ris, "destination": Destination}


@dataclass(frozen=True, slots=True)
class Settings:
    """One checked configuration file. ``options`` holds each device's adapter options, by device name."""

    box: Box
    clock: ClockSettings
    listener: Listener
    media: Media | None
    spool: Spool
    console: Console
    devices: tuple[Device, ...]
    ris: tuple[Ris, ...]
    destinations: tuple[Destination, ...]
    options: dict[str, Any]
    emergency: Emergency = Emergency()
    audit: Repository = Repository()
    profiles: tuple[Profile, ...] = ()

    @property
    def places(self) -> Places:
        return Places(self.box.data, self.box.runtime)

    def device(self, name: str) -> Device:
        return _named("device", self.devices, name)

    def profile(self, device: Device) -> Profile:
        """A device's input profile; of one that names none, the one that knows nothing."""
        return _named("profile", self.profiles, device.profile) if device.profile else UNKNOWN

    def destination(self, name: str) -> Destination:
        return _named("destination", self.destinations, name)


def _named(what: str, entries: tuple[E, ...], name: str) -> E:
    for entry in entries:
        if entry.name == name:
            return entry
    there = ", ".join(e.name for e in entries) or "none"
    raise Misuse(f"no {what} {name!r} is configured", f"configured: {there}")
