"""An acquisition becomes a DICOM instance: choose the IOD, cut what is too large, scan, write header and samples.

Wrapping needs the acquisition folder and the exam only, never the adapter. It is repeatable: the same
acquisition and attribution give the same file, byte for byte. Memory does not grow with the recording.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway import places, records
from gateway.acquire.recorder import read_facts
from gateway.dicom import leads, mapping, parts, scaling, writing
from gateway.dicom import samples as scanning
from gateway.dicom.definition import Iod, Shape, foreign_leads, violations
from gateway.dicom.header import Subject
from gateway.dicom.iods import TABLE
from gateway.errors import Held, Misuse
from gateway.model import Exam, Facts, InstanceRef
from gateway.records import End
from gateway.settings import Device, Settings

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
    columns = tuple(leads.columns(group.channels, device.derive_leads) for group in facts.groups)
    samples = [group.samples for group in end.groups]
    if len(samples) != len(columns) or not any(samples):
        raise Held(
            f"acquisition {facts.acquisition} holds no samples", "nothing can be sent; discard it if it is a test"
        )
    row = choose(iod or device.iod, _shapes(facts, columns, samples), facts.acquisition, device.ambulatory_after)
    storage = scaling.STORAGE[row.interpretation]
    widths = [len(of_group) * storage.bits // 8 for of_group in columns]
    pieces = parts.cut([group.rate for group in facts.groups], samples, widths, device.largest << 20)
    scan = scanning.scan(path, columns, pieces, beat)
    _whole(path, scan, end)
    scales = tuple(
        tuple(
            scaling.scale(column, survey.low[i], survey.high[i], storage, device.resolution)
            for i, column in enumerate(of_group)
        )
        for of_group, survey in zip(columns, scan.groups, strict=True)
    )
    whole = Subject(facts, exam, row, columns, scales, facts.groups, scan, tuple(_notes(facts, end)), pieces[0])
    made = writing.write(path, whole, pieces, settings.box, out, beat)
    log.info("%s: wrapped as %s, in %d instances", facts.acquisition, row.label, len(made))
    return made


def choose(wanted: str, shapes: tuple[Shape, ...], acquisition: str, ambulatory_after: float = 0.0) -> Iod:
    """The IOD for groups of these shapes.

    "auto" takes 12-Lead ECG if it fits; else, of a recording of more than ``ambulatory_after`` minutes (0: of none),
    Ambulatory ECG before General ECG; else General before Ambulatory. Raises Held naming each limit that is broken.
    """
    if wanted == "auto":
        long = ambulatory_after and max(s.samples / s.rate for s in shapes) > ambulatory_after * 60
        order = ("twelve-lead", "ambulatory", "general") if long else ("twelve-lead", "general", "ambulatory")
        wanted = next((key for key in order if not _broken(TABLE[key], shapes)), "general")
    row = TABLE[wanted]
    if broken := _broken(row, shapes):
        raise Held(
            f"acquisition {acquisition} does not fit {row.label}: {'; '.join(broken)}",
            "set another 'iod' for the device (general-32 has the widest limits) and rewrap it",
        )
    return row


def _broken(row: Iod, shapes: tuple[Shape, ...]) -> list[str]:
    broken = violations(row.waveform, shapes)
    if foreign := foreign_leads(row.waveform, shapes):
        broken.append(f"{', '.join(foreign)} are none of its leads")
    return broken


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


def _shapes(facts: Facts, columns: tuple[tuple[leads.Column, ...], ...], samples: Sequence[int]) -> tuple[Shape, ...]:
    """Of the groups in which something was recorded."""
    return tuple(
        Shape(tuple(column.channel.label for column in of_group), group.rate, count)
        for group, of_group, count in zip(facts.groups, columns, samples, strict=True)
        if count
    )


def _notes(facts: Facts, end: End) -> Iterator[str]:
    if facts.test:
        yield TEST_NOTE
    if end.interrupted:
        yield CUT_OFF_NOTE
