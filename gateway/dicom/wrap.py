"""An acquisition becomes a DICOM instance: scan, choose the IOD, write the header, stream the samples.

Wrapping needs the acquisition folder and the exam only, never the adapter. It is repeatable: the same
acquisition and attribution give the same file, byte for byte. Memory does not grow with the recording.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from gateway import fsops, places, records
from gateway.acquire.recorder import read_facts
from gateway.dicom import encode, leads, mapping, samples, scaling
from gateway.dicom.header import Subject, group_item, header
from gateway.dicom.iods import TABLE, Iod, Shape, foreign_leads, violations
from gateway.errors import Held, Misuse
from gateway.model import Exam, Facts, InstanceRef, MultiplexGroup
from gateway.records import End
from gateway.settings import Device, Settings

TEST_NOTE = "TEST RECORDING: made by a simulated device or for a test, not of a patient"
CUT_OFF_NOTE = "INTERRUPTED: this recording was cut off; it holds what was kept until then"

log = logging.getLogger(__name__)


def wrap(
    acquisition: Path, exam: Exam, settings: Settings, out: Path, iod: str | None = None
) -> tuple[InstanceRef, ...]:
    """Write ``out/<SOP Instance UID>.dcm`` (durably) and return what identifies it to a peer.

    ``acquisition`` is a folder with ``facts.json`` and ended ``records``; ``iod`` overrides the device's
    setting. Raises Held, in words, when the exam belongs to nobody, when no class can carry the recording, when a
    sample would be clipped, or when the acquisition is damaged or not ended.
    """
    facts = read_facts(acquisition)
    path = acquisition / places.RECORDS
    end = _ended(path, acquisition)
    mapping.item(exam)  # held at once if it is nobody's
    if facts.exam is not None and facts.exam != exam.exam:
        raise Held(f"acquisition {facts.acquisition} belongs to exam {facts.exam}, not to {exam.exam}")
    _believe(facts, settings)
    device = _device(settings, facts)
    columns = tuple(leads.columns(group.channels, device.derive_leads) for group in facts.groups)
    scan = samples.scan(path, columns)
    _whole(path, scan, end)
    kept = tuple(i for i, group in enumerate(scan.groups) if group.samples)
    if not kept:
        raise Held(
            f"acquisition {facts.acquisition} holds no samples", "nothing can be sent; discard it if it is a test"
        )
    groups = tuple(facts.groups[i] for i in kept)
    columns = tuple(columns[i] for i in kept)
    scan = scan.only(kept)
    row = choose(iod or device.iod, _shapes(groups, columns, scan), facts.acquisition)
    storage = scaling.STORAGE[row.interpretation]
    scales = tuple(
        tuple(
            scaling.scale(column, survey.low[i], survey.high[i], storage, device.resolution)
            for i, column in enumerate(of_group)
        )
        for of_group, survey in zip(columns, scan.groups, strict=True)
    )
    subject = Subject(facts, exam, row, columns, scales, groups, scan, tuple(_notes(facts, end)))
    head = header(subject, settings.box)
    target = out / f"{head.SOPInstanceUID}.dcm"
    with fsops.new_file(target) as stream:
        widths = [len(of_group) * storage.bits // 8 for of_group in columns]
        lengths = [survey.samples * width for survey, width in zip(scan.groups, widths, strict=True)]
        items = [encode.Group(group_item(subject, i), length) for i, length in enumerate(lengths)]
        places_of = encode.write_header(stream, head, items)
        written = list(places_of)
        for index, data in _stored(path, kept, len(facts.groups), subject, storage):
            stream.seek(written[index])
            written[index] += stream.write(data)
        if [w - p for w, p in zip(written, places_of, strict=True)] != lengths:
            raise Held(f"{path} changed while it was wrapped", "is a second gateway running on this data?")
    log.info("%s: wrapped as %s, %s", facts.acquisition, row.label, head.SOPInstanceUID)
    return (
        InstanceRef(
            row.sop_class_uid, str(head.SOPInstanceUID), str(ExplicitVRLittleEndian), str(target), target.stat().st_size
        ),
    )


def choose(wanted: str, shapes: tuple[Shape, ...], acquisition: str) -> Iod:
    """The IOD for groups of these shapes; "auto" takes 12-Lead ECG if it fits, else General ECG.

    Raises Held naming each limit that is broken.
    """
    if wanted == "auto":
        twelve = TABLE["twelve-lead"]
        wanted = "general" if violations(twelve.limits, shapes) or foreign_leads(twelve.limits, shapes) else twelve.key
    row = TABLE[wanted]
    broken = violations(row.limits, shapes)
    if foreign := foreign_leads(row.limits, shapes):
        broken.append(f"{', '.join(foreign)} are none of its leads")
    if broken:
        raise Held(
            f"acquisition {acquisition} does not fit {row.label}: {'; '.join(broken)}",
            "set another 'iod' for the device (general-32 has the widest limits) and rewrap it",
        )
    return row


def _ended(path: Path, acquisition: Path) -> End:
    try:
        end = records.ending(path)
    except OSError as error:
        raise Held(f"{path} cannot be read: {error.strerror}", "check the disk") from error
    if end is None:
        raise Held(f"{acquisition.name} has not ended", "it is still being recorded, or must be recovered first")
    return end


def _whole(path: Path, scan: samples.Scan, end: End) -> None:
    """Held unless the records give all that END counts: reading stops where a record is damaged, without a word."""
    found = [(survey.samples, survey.missing) for survey in scan.groups]
    counted = [(group.samples, group.missing) for group in end.groups]
    if found == counted and len(scan.happenings) + scan.untold == end.gaps + end.markers:
        return
    readable, whole = sum(n for n, _ in found), sum(n for n, _ in counted)
    raise Held(
        f"{path} is damaged in the middle; {readable} of {whole} samples are readable",
        "check the disk; the recording is kept as it is, a backup of it may be put in its place and released",
    )


def _believe(facts: Facts, settings: Settings) -> None:
    if not facts.started.trusted and settings.clock.untrusted == "hold":
        raise Held(
            f"acquisition {facts.acquisition} began while the clock was not synchronized",
            'see that NTP works, or set clock.untrusted = "send"',
        )


def _device(settings: Settings, facts: Facts) -> Device:
    """The device's settings; one that is no longer configured is wrapped with the defaults."""
    try:
        return settings.device(facts.device)
    except Misuse:
        return Device(name=facts.device, adapter=facts.adapter)


def _shapes(
    groups: tuple[MultiplexGroup, ...], columns: tuple[tuple[leads.Column, ...], ...], scan: samples.Scan
) -> tuple[Shape, ...]:
    return tuple(
        Shape(tuple(column.channel.label for column in of_group), group.rate, survey.samples)
        for group, of_group, survey in zip(groups, columns, scan.groups, strict=True)
    )


def _notes(facts: Facts, end: End) -> Iterator[str]:
    if facts.test:
        yield TEST_NOTE
    if end.interrupted:
        yield CUT_OFF_NOTE


def _stored(
    path: Path, kept: tuple[int, ...], groups: int, subject: Subject, storage: scaling.Storage
) -> Iterator[tuple[int, bytes]]:
    """The samples as bytes of Waveform Data, block by block, each with the index of its group."""
    index_of = {group: index for index, group in enumerate(kept)}
    for block in samples.blocks(path, groups):
        index = index_of.get(block.group)
        if index is None:
            continue
        columns = subject.columns[index]
        if block.counts is not None:
            yield index, scaling.store(block.counts, columns, subject.scales[index], storage).tobytes()
            continue
        row = np.full(len(columns), storage.padding, storage.dtype).tobytes()
        left = block.samples
        while left:
            now = min(left, samples.BLOCK)
            yield index, row * now
            left -= now
