"""A peer as people write it: a name from the configuration, AET@HOST:PORT, or the URL of DICOMweb services."""

from __future__ import annotations

import argparse
import re

from gateway import configuration
from gateway.errors import Misuse
from gateway.settings import Box, Destination, Settings
from gateway.transfer import peers
from gateway.transfer.peers import Peer

_FORM = re.compile(r"(?P<aet>[^@]{1,16})@(?P<host>\[[0-9a-fA-F:]+\]|[^:@\s]+):(?P<port>\d{1,5})")


def parse(text: str) -> tuple[str, str, int]:
    """(AE title, host, port) of ``AET@HOST:PORT``."""
    found = _FORM.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65536:
        raise Misuse(f"{text!r} is no peer address", "write it as AET@HOST:PORT, for example PACS@192.0.2.10:104")
    return found["aet"], found["host"].strip("[]"), int(found["port"])


def peer(args: argparse.Namespace, address: str | None) -> Peer:
    """The peer that ``address`` names; without one, the only destination that is configured."""
    if address and "@" in address:
        aet, host, port = parse(address)
        return peers.destination(_box(args), Destination(name=aet, ae_title=aet, host=host, port=port))
    if address and address.startswith(("https://", "http://")):  # whoever writes http:// means it
        return peers.destination(_box(args), Destination(name="server", url=address.rstrip("/"), policy="verified"))
    settings = configuration.load(args.config, adapters=False)
    return _configured(settings, address)


def _box(args: argparse.Namespace) -> Box:
    """The configured box where there is a configuration; an address given whole needs none."""
    return configuration.load(args.config, adapters=False).box if args.config.exists() else Box()


def _configured(settings: Settings, name: str | None) -> Peer:
    for ris in settings.ris:
        if ris.name == name:
            return peers.ris(settings.box, ris)
    if name is None and len(settings.destinations) != 1:
        names = [d.name for d in settings.destinations] + [r.name for r in settings.ris]
        there = ", ".join(names) or "none"
        raise Misuse("which peer?", f"configured: {there}; or write AET@HOST:PORT")
    found = settings.destination(name) if name else settings.destinations[0]
    return peers.destination(settings.box, found)
