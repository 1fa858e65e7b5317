"""Whether a recording holds nothing that was measured: no instance can come of it, and a person may give it up."""

from __future__ import annotations

from pathlib import Path

from gateway import records
from gateway.counts import End
from gateway.places import RECORDS

TORN = f"{RECORDS}.torn"  # what was cut off a damaged end: nobody knows what is in it


def without_samples(end: End) -> bool:
    """Whether neither a frame nor a sample arrived; samples that are only known to be missing are none."""
    return not end.frames and not any(g.samples - g.missing for g in end.groups)


def empty(folder: Path) -> bool:
    """Whether the recording in ``folder`` has its END and that says so; in doubt, and if anything was cut off, not."""
    path = folder / RECORDS
    if (folder / TORN).exists() or not path.exists() or records.being_written(path):
        return False
    end = records.ending(path)
    return end is not None and without_samples(end)
