"""A peer as people write it: a name from the configuration, AET@HOST:PORT or a URL, and how it is called otherwise.

The configuration is loaded only where it is needed: a command with a whole address shall start at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.destination import Destination
from gateway.errors import Misuse
from gateway.settings import Box
from gateway.transfer.calling import peers
from gateway.transfer.calling.peers import Peer

if TYPE_CHECKING:
    from gateway.settings import Settings

_FORM = re.compile(r"(?P<aet>[^@]{1,16})@(?P<host>\[[0-9a-fA-F:]+\]|[^:@\s]+):(?P<port>\d{1,5})")

# Settings of a destination that are options of a command too, checked and explained by the same table.
TLS = ("tls", "ca", "certificate", "key", "certificate_name")
WHO = ("user", "passcode", "token", "timeout")
STORING = ("associations", "operations", "refused_syntax")
_FILES = ("ca", "certificate", "key", "passcode", "token")
_SETTINGS = {field.name: field for field in dataclasses.fields(Destination)}


def options(parser: argparse.ArgumentParser, *keys: str) -> None:
    """Options of these settings, and this box's own AE title."""
    group = parser.add_argument_group("how the peer is called, if otherwise than configured")
    group.add_argument("--aet", metavar="TITLE", help="AE title of this box (setting ae_title of [gateway])")
    for key in keys:
        field = _SETTINGS[key]
        flag, words = f"--{key.replace('_', '-')}", str(field.metadata["doc"]).replace("%", "%%")
        if isinstance(field.default, bool):
            group.add_argument(flag, dest=key, action="store_true", default=None, help=words)
        else:
            group.add_argument(flag, dest=key, metavar="FILE" if key in _FILES else "VALUE", help=words)


def parse(text: str) -> tuple[str, str, int]:
    """(AE title, host, port) of ``AET@HOST:PORT``."""
    found = _FORM.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65536:
        raise Misuse(f"{text!r} is no peer address", "write it as AET@HOST:PORT, for example PACS@192.0.2.10:104")
    return found["aet"], found["host"].strip("[]"), int(found["port"])


def is_name(text: str) -> bool:
    """Whether ``text`` can be a name from the configuration; anything else is an address."""
    return re.fullmatch(r"[A-Za-z0-9_-]+", text) is not None


def peer(args: argparse.Namespace, address: str | None) -> Peer:
    """The peer that ``address`` names; without one, the only destination that is configured."""
    given = _given(args)
    if address and "@" in address:
        aet, host, port = parse(address)
        to = Destination(name=aet, ae_title=aet, host=host, port=port)
        return peers.destination(_box(args), _with(to, given))
    if address and address.startswith(("https://", "http://")):  # whoever writes http:// means it
        to = Destination(name="server", url=address.rstrip("/"), policy="verified")
        return peers.destination(_box(args), _with(to, given))
    settings = configured(args)
    for ris in settings.ris:
        if ris.name == address:
            return peers.ris(_named(args, settings.box), ris)
    if address is None and len(settings.destinations) != 1:
        names = [d.name for d in settings.destinations] + [r.name for r in settings.ris]
        there = ", ".join(names) or "none"
        raise Misuse("which peer?", f"configured: {there}; or write AET@HOST:PORT")
    to = settings.destination(address) if address else settings.destinations[0]
    return peers.destination(_named(args, settings.box), _with(to, given))


def configured(args: argparse.Namespace) -> Settings:
    """The configuration. Raises Misuse if there is none."""
    from gateway import configuration  # noqa: PLC0415 - it loads what finds adapters

    return configuration.load(args.config, adapters=False)


def _box(args: argparse.Namespace) -> Box:
    """The configured box where there is a configuration; an address given whole needs none."""
    return _named(args, configured(args).box if args.config.exists() else Box())


def _named(args: argparse.Namespace, box: Box) -> Box:
    title = getattr(args, "aet", None)
    return dataclasses.replace(box, ae_title=title) if title else box


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given as options. Raises Misuse for what may not be, or would have no effect."""
    found: dict[str, Any] = {}
    for key in (*TLS, *WHO, *STORING):
        value = getattr(args, key, None)
        if value is None:
            continue
        field = _SETTINGS[key]
        check, kind = field.metadata["check"], _kind(field.default)
        try:
            found[key] = check.read(str(Path(value).absolute()) if key in _FILES else kind(value))
        except ValueError:
            raise Misuse(f"--{key.replace('_', '-')} may not be {value!r}", f"allowed: {check.allowed}") from None
    if any(key in found for key in TLS):
        found["tls"] = True
    return found


def _with(to: Destination, given: dict[str, Any]) -> Destination:
    made = dataclasses.replace(to, **given)
    for key, needed in (("key", "certificate"), ("passcode", "user"), ("passcode", "tls")):
        if getattr(made, key) and not getattr(made, needed):
            raise Misuse(f"--{key} needs --{needed}", "add it, or leave this out")
    if made.token and not made.url.startswith("https:"):
        raise Misuse("--token needs an https:// URL", "add it, or leave this out")
    return made


def _kind(default: Any) -> Any:
    """What makes a value of the text that was given; a flag is one already."""
    return (lambda value: value) if isinstance(default, bool) else type(default)
