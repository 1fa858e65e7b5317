"""What is found on a disk, in the ledger, and at a PACS."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from crash.told import Counts, Promised, Told
from spooling import LEADS

from gateway import records
from gateway.dicom.wrap import CUT_OFF_NOTE
from gateway.events import Samples
from gateway.settings import Settings


class Broken(AssertionError):
    """A promise was not kept."""


def require(condition: object, words: str) -> None:
    if not condition:
        raise Broken(words)


@dataclass(frozen=True)
class Read:
    """What an instance says: samples of the recorded leads, whose it is, whether it was cut off, and when."""

    samples: Counts
    patient: str
    cut_off: bool
    study: str
    acquired: str


@cache
def read(data: bytes) -> Read:
    dataset = pydicom.dcmread(io.BytesIO(data))
    group = dataset.WaveformSequence[0]
    labels = [channel.ChannelLabel for channel in group.ChannelDefinitionSequence]
    stored = np.frombuffer(group.WaveformData, f"<i{group.WaveformBitsAllocated // 8}").reshape(
        -1, group.NumberOfWaveformChannels
    )
    notes = [a.get("UnformattedTextValue") for a in dataset.get("WaveformAnnotationSequence", [])]
    columns = [labels.index(lead) for lead in LEADS]
    samples = stored[:, columns].astype(np.int32)
    study = f"{dataset.StudyDate} {dataset.StudyTime}"
    return Read(samples, str(dataset.PatientID), CUT_OFF_NOTE in notes, study, str(dataset.AcquisitionDateTime))


def is_of(data: bytes, promised: Promised) -> bool:
    return bool(np.array_equal(read(data).samples[0], promised.truth[0]))


def holds(data: bytes, promised: Promised) -> bool:
    """Whether an instance has every promised sample, in order, bit for bit, and none that was not recorded."""
    found = read(data).samples
    return len(found) >= promised.synced and np.array_equal(found, promised.truth[: len(found)])


def in_records(folder: Path, promised: Promised) -> bool:
    path = folder / "records"
    if not path.exists():
        return not promised.synced
    blocks = [e.data for e in records.events(path) if isinstance(e, Samples)]
    found = np.concatenate(blocks) if blocks else promised.truth[:0]
    return len(found) >= promised.synced and np.array_equal(found, promised.truth[: len(found)])


def rows(settings: Settings, sql: str) -> list[sqlite3.Row]:
    if not settings.places.ledger.exists():
        return []
    connection = sqlite3.connect(settings.places.ledger)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:  # its tables were about to be made
        return []
    finally:
        connection.close()


def audit(settings: Settings) -> list[dict[str, Any]]:
    """The lines that can be read."""
    found = []
    if settings.places.audit.exists():
        for line in settings.places.audit.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def audited(trail: list[dict[str, Any]], what: str, subject: str) -> bool:
    return any(e["what"] == what and e["subject"].split()[0] == subject for e in trail)


def told_of(told: Told, promised: Promised) -> Iterator[bytes]:
    """The instances that a PACS has of a recording."""
    yield from (data for pacs in told.pacs.values() for data in pacs.held.values() if is_of(data, promised))


def spooled(settings: Settings) -> Iterator[Path]:
    """The instances on the disk but for those that are just being purged."""
    going = {row["uid"] for row in rows(settings, "SELECT uid FROM instances WHERE state <> 'SPOOLED'")}
    yield from (path for path in settings.places.instances.glob("[!.]*/*.dcm") if path.stem not in going)


def waived(told: Told, promised: Promised, destination: str) -> bool:
    """Whether a person said that this destination need not get the recording."""
    sent = {uid for pacs in told.pacs.values() for uid, data in pacs.held.items() if is_of(data, promised)}
    return any(d.what == "waive" and d.destination == destination and d.subject in sent for d in told.decisions)
