"""The configuration file: one TOML file, read and checked by the settings table.

Every mistake is a Misuse that names file, line, key and what is allowed; nothing is guessed, nothing unknown
passes. A device's further keys are its adapter's own options, declared there the same way.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway import destination, fields
from gateway.acquire.adapter import Adapter, Folder, NoOptions, Serial, Video, adapter_named, installed
from gateway.destination import Destination
from gateway.device import Device
from gateway.errors import Misuse
from gateway.fields import Source
from gateway.profile import Profile
from gateway.settings import DEFAULT_FILE, MANY, ONE, Ris, Settings


def load(path: Path = DEFAULT_FILE, adapters: bool = True) -> Settings:
    """Read and check a configuration file.

    ``adapters`` False leaves the adapters unloaded and their options unread: for commands that never touch a device
    and should not pay for numpy; everything else is checked all the same.
    """
    try:
        data = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Misuse(f"there is no configuration file {path}", "name one with --config FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{path} cannot be read ({error})", "it must be UTF-8 text that this user may read") from error
    return parse(data, str(path), adapters)


def parse(data: str, file: str = "configuration", adapters: bool = True) -> Settings:
    """Check the text of a configuration file."""
    try:
        tables = tomllib.loads(data)
    except tomllib.TOMLDecodeError as error:
        raise Misuse(f"{file}: {error}", "it is no valid TOML there") from error
    where = Source(file, tuple(data.splitlines()))
    for section in tables:
        if section not in ONE and section not in MANY:
            known = ", ".join([f"[{s}]" for s in ONE] + [f"[[{s}]]" for s in MANY])
            raise where.wrong((section,), "is unknown", f"known sections: {known}")
    one: dict[str, Any] = {
        name: fields.read_section(kind, tables.get(name, {}), where, (name,))
        for name, kind in ONE.items()
        if name != "media" or name in tables
    }
    medium = one.get("media")
    if medium is not None and medium.folder is None and not medium.sticks:
        raise where.wrong(("media",), "names no medium", "set 'sticks', 'folder', or both; or remove the section")
    devices, options = _devices(tables.get("device", []), where, adapters)
    return Settings(
        box=one["gateway"],
        clock=one["clock"],
        listener=one["listener"],
        media=medium,
        spool=one["spool"],
        console=one["console"],
        devices=devices,
        ris=tuple(_entries("ris", Ris, tables.get("ris", []), where)),
        destinations=_destinations(tables.get("destination", []), where, devices),
        options=options,
        emergency=one["emergency"],
        audit=one["audit"],
        profiles=_profiles(tables.get("profile", []), where, devices),
    )


def _entries(section: str, kind: type[Any], tables: Any, where: Source) -> Iterator[Any]:
    if not isinstance(tables, list):
        raise where.wrong((section,), "is not a list", f"write it with two brackets: [[{section}]]")
    seen: set[str] = set()
    for i, table in enumerate(tables):
        entry = fields.read_section(kind, table, where, (section, i))
        if entry.name in seen:
            raise where.wrong((section, i, "name"), f"is {entry.name!r} a second time", "each needs its own name")
        seen.add(entry.name)
        yield entry


def _profiles(tables: Any, where: Source, devices: tuple[Device, ...]) -> tuple[Profile, ...]:
    """Each device's is there, and none promises what it does not do."""
    found = tuple(_entries("profile", Profile, tables, where))
    for i, one in enumerate(found):
        if one.burned_in == "masked" and not one.alters:
            raise where.wrong(("profile", i, "burned_in"), "is masked, and nothing is", "add crop or mask, or say yes")
    names = [one.name for one in found]
    for i, device in enumerate(devices):
        if device.profile and device.profile not in names:
            there = ", ".join(names) or "none"
            raise where.wrong(("device", i, "profile"), f"names no profile {device.profile!r}", f"there are: {there}")
    return found


def _destinations(tables: Any, where: Source, devices: tuple[Device, ...]) -> tuple[Destination, ...]:
    found = tuple(_entries("destination", Destination, tables, where))
    for i, to in enumerate(found):
        _reached(to, i, frozenset(tables[i]), where)
    destination.refuse(found, [d.name for d in devices], where)
    return found


_DICOM_ONLY = (
    "ae_title",
    "host",
    "port",
    "commitment_ae_title",
    "associations",
    "operations",
    "refused_syntax",
    "tls",
    "user",
)
_WEB_ONLY = ("plain_http", "token", "verified_by")


def _reached(to: Destination, i: int, keys: frozenset[str], where: Source) -> None:
    """By DICOM or by DICOMweb, and nothing is set that only the other one knows."""

    def wrong(key: str, what: str, fix: str) -> Misuse:
        return where.wrong(("destination", i, key), what, fix)

    if not to.url:
        if lacking := [key for key in ("ae_title", "host") if not getattr(to, key)]:
            what = "lacks the key " + " and ".join(map(repr, lacking))
            raise where.wrong(("destination", i), what, "name ae_title and host, or the url of its DICOMweb services")
        if needless := [key for key in _WEB_ONLY if key in keys]:
            raise wrong(needless[0], "is for DICOMweb", "add a url, or take it out")
        if to.policy == "verified":
            raise wrong("policy", 'may be "verified" only with a url', 'over DICOM, ask for "commitment"')
        return
    if needless := [key for key in _DICOM_ONLY if key in keys]:
        raise wrong(needless[0], "is for DICOM, and this destination has a url", "take one of them out")
    if to.url.startswith("http:"):
        if not to.plain_http:
            raise wrong("url", "is not protected", "write https://, or add plain_http = true if that is meant")
        if to.token:
            raise wrong("token", "would be sent where anybody can read it", "write https:// in url, or take it out")
    if "verified_by" in keys and to.policy != "verified":
        raise wrong("verified_by", 'needs policy = "verified"', "add it, or take this out")


def _devices(tables: Any, where: Source, adapters: bool) -> tuple[tuple[Device, ...], dict[str, Any]]:
    """Devices and their adapter options: keys that the section does not know are offered to the adapter."""
    own = [name for name, *_ in fields.documentation(Device)]
    common = tables
    if isinstance(tables, list):
        common = [{k: v for k, v in t.items() if k in own} if isinstance(t, dict) else t for t in tables]
    devices = tuple(_entries("device", Device, common, where))
    options: dict[str, Any] = {}
    for i, device in enumerate(devices if adapters else ()):
        try:
            adapter: Adapter = adapter_named(device.adapter)
        except Misuse as error:
            raise where.wrong(("device", i, "adapter"), f"is wrong: {error.message}", error.fix) from None
        if isinstance(adapter.transport, (Serial, Video)) and not device.port:
            raise where.wrong(("device", i), "lacks the key 'port'", f"adapter {adapter.name} speaks over a line")
        if isinstance(adapter.transport, Folder) and device.folder is None:
            raise where.wrong(("device", i), "lacks the key 'folder'", f"adapter {adapter.name} reads files from one")
        if isinstance(adapter.transport, Folder) and device.trigger:
            raise where.wrong(("device", i, "trigger"), "starts nothing", "files are taken as they come; take it out")
        named = {name for name, *_ in fields.documentation(adapter.options)}  # one of its own goes before a device's
        rest = {k: v for k, v in tables[i].items() if k not in own or k in named}
        options[device.name] = fields.read_section(adapter.options, rest, where, ("device", i), own)
    return devices, options


def reference() -> str:
    """The whole table as Markdown."""
    lines = ["# Configuration reference", "", f"One TOML file, `{DEFAULT_FILE}` unless `--config` says otherwise.", ""]
    for name, kind in [*ONE.items(), *MANY.items()]:
        title = f"[[{name}]]" if name in MANY else f"[{name}]"
        lines += [f"## `{title}`", "", (kind.__doc__ or "").strip(), ""]
        lines += _table(kind)
    adapters = sorted(installed().values(), key=lambda a: a.name)
    plain = [f"`{adapter.name}`" for adapter in adapters if adapter.options is NoOptions]
    lines += [f"Adapters without keys of their own: {', '.join(plain)}.", ""] if plain else []
    for adapter in adapters:
        if adapter.options is NoOptions:
            continue
        lines += [f'## `[[device]]` with `adapter = "{adapter.name}"`', ""]
        lines += [(adapter.options.__doc__ or "").strip(), "", *_table(adapter.options)]
    return "\n".join(lines)


def _table(kind: type) -> list[str]:
    rows = [f"| `{k}` | {a} | `{d}` | {w} |" for k, a, d, w in fields.documentation(kind)]
    return ["| key | allowed | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else ["No keys.", ""]
