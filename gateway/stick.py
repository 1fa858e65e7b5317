"""The process ``stick``, root's, one for each USB stick or SD card that is plugged in: mounts it for forward, or not.

systemd starts it by udev's word (systemd/udev, systemd/stick@.service) and ends it when the device is gone. It is the
only part of the gateway with privileges, and small for that: it reads no file of the stick itself, and loads neither
pydicom nor sqlite3.
"""

from __future__ import annotations

import argparse

from gateway import configuration
from gateway.service import Service
from gateway.transfer.sticks.keeper import Keeper


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the block device, for example sdb1")
    parser.add_argument("--clear", action="store_true", help="only clear what a killed process left: unmount, forget")


def run(args: argparse.Namespace) -> int:
    """Until the stick is gone, or SIGTERM."""
    settings = configuration.load(args.config, adapters=False)
    service = Service("stick")
    try:
        keeper = Keeper(settings, args.name, service.stopping.wait)
        if args.clear:
            keeper.clear()
        else:
            keeper.run(service.ready)
    finally:
        service.close()
    return 0
