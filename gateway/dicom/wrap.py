"""An acquisition becomes a DICOM instance: choose the IOD, cut what is too large, scan, write header and samples.

Wrapping needs the acquisition folder and the exam only, never the adapter. It is repeatable: the same
acquisition and attribution give the same file, byte for byte. Memory does not grow with the recording.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway import places, records
from gateway.acquire import montage
from gateway.acquire.recorder import read_facts
from gateway.device import Device
from gateway.dicom import encapsulating, interruptions, leads, mapping, parts, scaling, sources, writing
from gateway.dicom import samples as scanning
from gateway.dicom.choosing import choose
from gateway.dicom.definition import Iod, Shape
from gateway.dicom.frames import wrapping as frames
from gateway.dicom.header import Subject
from gateway.dicom.parts import Part
from gateway.dicom.scaling import Storage
from gateway.errors import Held, Misuse
from gateway.model import Channel, Exam, Facts, InstanceRef, Kind
from gateway.records import End, GroupEnd
from gateway.settings import Settings
from gateway.sop_classes import BY_KIND

TEST_NOTE = "TEST RECORDING: made by a simulated device or for a test, not of a patient"
CUT_OFF_NOTE = "INTERRUPTED: this recording was cut off; it holds what was kept until then"

log = logging.getLogger(__name__)


def wrap(
    acquisition: Path,
    exam: Exam,
    settings: Settings,
    out: Path,
    iod: str | None = None,
    beat: Callable[[], None] = lambda: None,
) -> tuple[InstanceRef, ...]:
    """Write ``out/<SOP Instance UID>.dcm`` (durably), one or one for each part, and return what identifies them.

    ``acquisition`` is a folder with ``facts.json`` and ended ``records``; ``iod`` overrides the device's
    setting; ``beat`` is called at each piece of progress. Raises Held, in words, when the exam belongs to nobody, when
    no class can carry the recording, when a sample would be clipped, or when the acquisition is damaged or not ended.
    """
    facts = read_facts(acquisition)
    path = acquisition / places.RECORDS
    end = _ended(path, acquisition)
    mapping.item(exam)  # held at once if it is nobody's
    if facts.exam is not None and facts.exam != exam.exam and exam.corrects is None:
        raise Held(f"acquisition {facts.acquisition} belongs to exam {facts.exam}, not to {exam.exam}")
    _believe(facts, settings)
    device = _device(settings, facts)
    if facts.kind is Kind.DOCUMENT:
        return encapsulating.wrap(path, facts, exam, settings.profile(device), settings.box, out, beat)
    if facts.picture is not None:
        noted, largest = tuple(_notes(facts, end, device)), device.largest << 20
        profile = settings.profile(device)
        wanted = frames.Wanted(facts, exam, facts.picture, profile, iod or device.iod, largest, noted)
        return frames.wrap(path, end, wanted, settings.box, out, beat)
    derive = facts.kind is Kind.ECG and device.derive_leads
    columns = tuple(leads.columns(group.channels, derive) for group in facts.groups)
    samples = [group.samples for group in end.groups]
    if len(samples) != len(columns) or not any(samples):
        raise Held(
            f"acquisition {facts.acquisition} holds no samples", "nothing can be sent; discard it if it is a test"
        )
    shapes = _shapes(facts, columns, end)
    asked = iod or BY_KIND[facts.kind].asked(device.iod, mixed=len(facts.siblings) > 1)
    row = choose(facts.kind, asked, shapes, facts.acquisition, device.ambulatory_after)
    facts, columns = _labelled(facts, columns, row, device)
    storages = tuple(_storage(row, facts, n, *_range(group)) for n, group in enumerate(end.groups))
    widths = [len(of_group) * storage.bits // 8 for of_group, storage in zip(columns, storages, strict=True)]
    pieces = _pieces(path, row, facts, samples, widths, device, beat)
    scan = scanning.scan(path, columns, pieces, beat)
    _whole(path, scan, end)
    resolution = 0.0 if "SL" in row.waveform.interpretations else device.resolution  # the counts are kept as they are
    scales = tuple(
        tuple(
            scaling.scale(column, survey.low[i], survey.high[i], storage, resolution)
            for i, column in enumerate(of_group)
        )
        for of_group, storage, survey in zip(columns, storages, scan.groups, strict=True)
    )
    notes = tuple(_notes(facts, end, device))
    whole = Subject(facts, exam, row, columns, scales, storages, facts.groups, scan, notes, pieces[0], device.reference)
    made = writing.write(path, whole, pieces, settings.box, out, beat)
    log.info("%s: wrapped as %s, in %d instances", facts.acquisition, row.label, len(made))
    return made


def _ended(path: Path, acquisition: Path) -> End:
    try:
        end = records.ending(path)
    except OSError as error:
        raise Held(f"{path} cannot be read: {error.strerror}", "check the disk") from error
    if end is None:
        raise Held(f"{acquisition.name} has not ended", "it is still being recorded, or must be recovered first")
    return end


def _whole(path: Path, scan: scanning.Scan, end: End) -> None:
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
    if not facts.noted.trusted and settings.clock.untrusted == "hold":
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


def _range(group: GroupEnd) -> tuple[int, int]:
    """The lowest and the highest count in any channel."""
    return min(group.minimum, default=0), max(group.maximum, default=0)


def _shapes(facts: Facts, columns: tuple[tuple[leads.Column, ...], ...], end: End) -> tuple[Shape, ...]:
    """Of the groups in which something was recorded."""
    return tuple(
        Shape(
            tuple(column.channel.label for column in of_group), group.rate, found.samples, scaling.bits(*_range(found))
        )
        for group, of_group, found in zip(facts.groups, columns, end.groups, strict=True)
        if found.samples
    )


def _labelled(
    facts: Facts, columns: tuple[tuple[leads.Column, ...], ...], row: Iod, device: Device
) -> tuple[Facts, tuple[tuple[leads.Column, ...], ...]]:
    """With what the montage says of channels whose own labels say nothing: it may have been set after the recording."""
    if facts.kind is Kind.ECG or not device.montage:
        return facts, columns

    def nameless(channel: Channel) -> bool:
        told = (channel.label, sources.parts(channel.label)[0])
        return channel.source is None and not any(sources.find(text, row.waveform.sources) for text in told)

    groups = montage.labelled(facts.groups, device.montage, nameless)
    return dataclasses.replace(facts, groups=groups), tuple(leads.columns(g.channels, False) for g in groups)


def _storage(row: Iod, facts: Facts, group: int, low: int, high: int) -> Storage:
    if row.key == "position" and any(
        sources.source(channel, row, facts.kind) == sources.PATIENT_POSITION for channel in facts.groups[group].channels
    ):
        return scaling.POSITIONS
    return scaling.storage_for(row.waveform.interpretations, low, high)


def _pieces(
    path: Path,
    row: Iod,
    facts: Facts,
    samples: Sequence[int],
    widths: Sequence[int],
    device: Device,
    beat: Callable[[], None],
) -> tuple[Part, ...]:
    """The instances of the recording."""
    rates, largest = [group.rate for group in facts.groups], device.largest << 20
    if row.waveform.uninterrupted:
        (only,) = (n for n, count in enumerate(samples) if count)
        found = interruptions.stretches(path, only, rates[only], device.interruption, beat)
        if found != [(0, samples[only])]:
            return interruptions.cut(found, only, rates, widths[only], largest)
    return parts.cut(rates, samples, widths, largest)


def _notes(facts: Facts, end: End, device: Device) -> Iterator[str]:
    if facts.test:
        yield TEST_NOTE
    if end.interrupted:
        yield CUT_OFF_NOTE
    if device.ground:
        yield f"Ground electrode: {device.ground}"
