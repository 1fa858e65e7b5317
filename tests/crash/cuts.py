"""Every power cut of a traced day, and what comes of it."""

from __future__ import annotations

import dataclasses
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from crash import promises, recovery
from crash.disk import Image, key
from crash.found import Broken
from crash.story import Day, after_a_reboot
from crash.told import Told
from crash.tracing import LEDGER, Point, Trace
from tiers import SLOW

from gateway.errors import GatewayError
from gateway.settings import Settings

Key = tuple[bytes, bytes | None, object]


def trace(settings: Settings, which: str = "whole") -> Trace[Told]:
    """One of the days of :class:`Day`."""
    root = settings.box.data.parent / "disk"
    root.mkdir()
    day = Day(on(settings, root))
    found = Trace(root, day.told.copied)
    found.run(getattr(day, which))
    return found


def on(settings: Settings, root: Path) -> Settings:
    """The same box with its data on the disk ``root``."""
    return dataclasses.replace(settings, box=dataclasses.replace(settings.box, data=root / "data"))


def distinct(found: Trace[Told], without: frozenset[str] = frozenset()) -> Iterator[tuple[Key, Point[Told], Image]]:
    """Each image once for each state of the ledger and of what was told."""
    seen: set[Key] = set()
    for point, image in found.images(without):
        one = (key(image), point.ledger, point.told.mark())
        if one not in seen:
            seen.add(one)
            yield one, point, image


def lay(image: Image, ledger: bytes | None, root: Path) -> None:
    """The image as real files below ``root``."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for path, content in image.items():
        place = root / path
        if content is None:
            place.mkdir()
        else:
            place.write_bytes(content)
    if ledger is not None and (root / "data").exists():
        (root / "data" / LEDGER).write_bytes(ledger)


def judge(settings: Settings, point: Point[Told], image: Image, root: Path) -> None:
    """Raises Broken if a promise is not kept after this cut."""
    lay(image, point.ledger, root)
    elsewhere = on(settings, root)
    told = point.told.copied()
    with after_a_reboot() as when:
        for promise in promises.AT_ONCE:
            promise(elsewhere, told)
        recovery.recover(elsewhere, told, when)
        recovery.finish(elsewhere, told, when)
    for promise in promises.IN_THE_END:
        promise(elsewhere, told)


def breaks(settings: Settings, found: Trace[Told], known: set[Key], without: frozenset[str], root: Path) -> str | None:
    """The first promise that is broken when these places do not sync, in words; None if all are kept.

    Only images that are possible just because of that are looked at: ``known`` are those of the product as it is.
    """
    for one, point, image in distinct(found, without):
        if one not in known:
            try:
                judge(settings, point, image, root)
            except (Broken, GatewayError) as error:
                return str(error)
    return None


def some(every: list[tuple[Key, Point[Told], Image]], most: int) -> list[tuple[Key, Point[Told], Image]]:
    """All of them in the slow tier (GATEWAY_SLOW), else ``most``."""
    if SLOW or len(every) <= most:
        return every
    return random.Random(3).sample(every, most)
