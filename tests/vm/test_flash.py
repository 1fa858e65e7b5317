"""What the model of a stick may lose when its power fails, and what not."""

from __future__ import annotations

import random

from vm.flash import SECTOR, Flash

OLD, NEW, NEWER = (bytes([value]) * SECTOR for value in (1, 2, 3))


def left(write_back: bool, *steps: bytes | str) -> set[bytes]:
    """What may be in a sector after these writes, acknowledgements and flushes."""
    found = set()
    for seed in range(200):
        flash = Flash(OLD * 4, write_back)
        for step in steps:
            if isinstance(step, bytes):
                flash.write(SECTOR, step)
            else:
                getattr(flash, step)()
        flash.lose_power(random.Random(seed))
        found.add(flash.read(SECTOR, SECTOR))
        assert flash.read(0, SECTOR) == OLD
    return found


def test_a_stick_without_a_cache_keeps_what_it_acknowledged() -> None:
    assert left(False, NEW, "acknowledge") == {NEW}
    assert left(False, NEW, "acknowledge", NEWER) == {NEW, NEWER}


def test_a_stick_with_a_cache_keeps_what_was_flushed() -> None:
    assert left(True, NEW, "acknowledge") == {OLD, NEW}
    assert left(True, NEW, "acknowledge", "flush") == {NEW}
    assert left(True, NEW, "acknowledge", NEWER, "acknowledge") == {OLD, NEW, NEWER}


def test_a_write_may_be_torn_at_any_sector() -> None:
    torn = set()
    for seed in range(200):
        flash = Flash(OLD * 3, False)
        flash.write(0, NEW * 3)
        flash.lose_power(random.Random(seed))
        torn.add(flash.content())
    assert len(torn) == 8
