"""A recording that was cut off gets its END: what of its records counts, what is torn, what is damaged.

A power cut tears what was not synced yet: of that, any block may be missing, also with good ones behind it. A record
that cannot be read is torn if no SYNCED record says that it was on the medium already; else the medium is damaged, and
a person must decide.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway import fsops, records
from gateway.counts import End, GroupEnd
from gateway.errors import Held
from gateway.records import HEADER, Record, Type

_BLOCK = 256 << 10  # bytes
_STRIDE = 4 << 20  # bytes between two beats
_MARKED = 2  # the first version with SYNCED


def finish(path: Path, groups: int, beat: Callable[[], None] = lambda: None) -> End:
    """Give a cut-off file its END: scan what is good, cut what is torn, sync, append the counts, sync.

    What is cut is kept beside it first, as ``records.torn``. Only for a file that nobody writes any more; a second
    call finds END and changes nothing. ``beat`` is called every few MiB. Raises Held, and touches nothing, if the file
    is damaged where it was on the medium already.
    """
    if (found := records.ending(path)) is not None:
        return found
    end = End([GroupEnd() for _ in range(groups)], reason="cut off", interrupted=True)
    good, on_medium, whole = len(HEADER), 0, False
    for record in _read(path, len(HEADER), beat):
        event = records.decode(record)
        if event is not None:
            end.count(event)
        elif record.type is Type.SYNCED:
            on_medium = max(on_medium, records.synced(record))
        good, whole = record.end, record.type is Type.END
    headless = not records.version(path)
    if not headless and path.stat().st_size > good:
        _refuse_damage(path, good, on_medium, beat)
        _keep_torn(path, good, beat)
    # Synced also if nothing is cut: what a killed capture wrote may be in the page cache only, and END counts it.
    fsops.truncate(path, 0 if headless else good)
    if whole and (found := records.ending(path)) is not None:
        return found
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if headless:
            fsops.extend(descriptor, HEADER, 0)
            fsops.sync(descriptor, path)
        fsops.extend(descriptor, records.pack(Type.END, end.last_time, end.as_json()), good)
        fsops.sync(descriptor, path)
    finally:
        os.close(descriptor)
    return end


def _read(path: Path, start: int, beat: Callable[[], None]) -> Iterator[Record]:
    due = start
    for record in records.read(path, start=start):
        if record.end >= due:
            beat()
            due = record.end + _STRIDE
        yield record


def _refuse_damage(path: Path, good: int, on_medium: int, beat: Callable[[], None]) -> None:
    """Raises Held if what cannot be read at ``good`` was synced once."""
    first = at = records.next_good(path, good + 1, beat)
    while at is not None:
        behind = at
        for record in _read(path, at, beat):
            behind = record.end
            if record.type is Type.SYNCED:
                on_medium = max(on_medium, records.synced(record))
        at = records.next_good(path, behind + 1, beat)
    if first is not None and (on_medium > good or records.version(path) < _MARKED):
        raise Held(
            f"{path} is damaged in the middle: bytes {good} to {first} cannot be read, good records follow",
            "check the storage medium; the file is left as it is, a person must decide",
        )


def _keep_torn(path: Path, good: int, beat: Callable[[], None]) -> None:
    """Copy what lies behind ``good``. A copy that is there was made before a crash, and is whole."""
    torn = path.with_name(path.name + ".torn")
    if torn.exists():
        return
    with path.open("rb") as source, fsops.new_file(torn) as copy:
        source.seek(good)
        while piece := source.read(_BLOCK):
            copy.write(piece)
            beat()
