"""Which video sources there are, by names that stay, and what each can show. Nothing is changed by looking."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.acquire.v4l2 import asking
from gateway.acquire.v4l2.choosing import Offer

DEV = Path("/dev")
_BY_NAME = ("v4l/by-id", "v4l/by-path")  # folders below /dev; the first name that is found is the one to configure


@dataclass(frozen=True, slots=True)
class Source:
    """One capture node. ``problem`` says why nothing more is known of it."""

    path: str
    card: str = ""
    driver: str = ""
    inputs: tuple[asking.Input, ...] = ()
    chosen: int | None = None  # number of the input that is set
    offers: tuple[Offer, ...] = ()
    problem: str = ""


def sources(dev: Path = DEV) -> list[Source]:
    """All nodes that frames can be streamed from, and those that cannot be opened."""
    names = _lasting_names(dev)
    nodes = sorted((p for p in dev.glob("video*") if p.name[5:].isdigit()), key=lambda p: int(p.name[5:]))
    found = (_look(node, names.get(node.name, str(node))) for node in nodes)
    return [source for source in found if source is not None]


def _look(node: Path, name: str) -> Source | None:
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Source(name, problem=f"it cannot be opened: {error.strerror}")
    try:
        can = asking.capability(descriptor)
        if not can.captures:
            return None
        chosen = asking.current_input(descriptor)
        free = chosen is None or not (chosen.dv_timings or chosen.standards)
        offers = tuple(asking.offers(descriptor, free_size=free))
        number = chosen.number if chosen is not None else None
        return Source(name, can.card, can.driver, tuple(asking.inputs(descriptor)), number, offers)
    except OSError as error:
        return Source(name, problem=f"it does not answer: {error.strerror}")
    finally:
        os.close(descriptor)


def _lasting_names(dev: Path) -> dict[str, str]:
    """By name of the node, the first of its names that survives another socket or another start."""
    found: dict[str, str] = {}
    for folder in _BY_NAME:
        for link in sorted((dev / folder).glob("*")):
            found.setdefault(link.resolve().name, str(link))
    return found
