"""From the frames of an acquisition to instances: a still, a clip, or a clip in parts.

Two passes over the records, as for waveforms: the first counts and judges, so that the header can be written first; the
second copies. A frame that cannot be used is left out and told of; an acquisition of which most cannot is held.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gateway import fsops
from gateway.counts import End
from gateway.dicom.definition import Iod
from gateway.dicom.frames import colours, pixel_file, survey
from gateway.dicom.frames.describing import Shown, header
from gateway.dicom.frames.format import Coding
from gateway.dicom.frames.mjpeg import Mjpeg
from gateway.dicom.frames.raw import Raw
from gateway.dicom.frames.survey import Survey
from gateway.dicom.frames.timing import timing
from gateway.dicom.frames.video import Video
from gateway.dicom.iods import BY_KEY
from gateway.dicom.parts import SEPARATE, Part
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Exam, Facts, InstanceRef, Picture
from gateway.profile import Profile
from gateway.settings import Box
from gateway.sop_classes import PICTURES

log = logging.getLogger(__name__)
_PLAUSIBLE = 86400.0  # seconds that a frame's time may be off from when the acquisition began

Beat = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be wrapped, and how.

    ``family``: the word for its classes; ``largest``: bytes in one instance, 0 = any; ``notes``: about all of it.
    """

    facts: Facts
    exam: Exam
    picture: Picture
    profile: Profile
    family: str
    largest: int
    notes: tuple[str, ...]


def wrap(path: Path, end: End, wanted: Wanted, box: Box, out: Path, beat: Beat) -> tuple[InstanceRef, ...]:
    """Write one instance, or one for each part, of the records at ``path``; each durable. Raises Held, in words."""
    coding = _coding(wanted.picture, wanted.profile)
    found = survey.survey(path, coding.look, beat)
    _whole(path, found, end)
    if not found.count:
        why = f" ({found.told[0][1]})" if found.told else ""
        raise Held(
            f"acquisition {wanted.facts.acquisition} holds no frame that can be used{why}", "it is kept as it is"
        )
    if found.broken > found.count:  # one odd frame at the beginning would cost all good ones, and their records
        raise Held(
            f"of acquisition {wanted.facts.acquisition} {found.broken} frames cannot be used, more than the"
            f" {found.count} that can ({found.told[0][1]})",
            "it is kept as it is; look at what the source delivers",
        )
    parts = cut(found, coding, wanted.largest)
    iod = choose(wanted.family, found, coding)
    frames = survey.usable(path, found, beat)
    made: list[InstanceRef] = []
    try:
        for part in parts:
            made.append(_write(part, found, coding, iod, wanted, frames, box, out, beat))
    except Exception:
        for one in made:
            fsops.unlink(Path(one.path))
        raise
    log.info(
        "%s: %d frames wrapped as %s, in %d instances", wanted.facts.acquisition, found.count, iod.label, len(made)
    )
    return tuple(made)


def _coding(picture: Picture, profile: Profile) -> Coding:
    if picture.encoding == "H264":
        return Video(picture, profile)
    if picture.encoding == "MJPEG":
        return Raw(picture, profile, decoded=True) if profile.alters else Mjpeg(picture)
    if picture.encoding in colours.RAW:
        return Raw(picture, profile)
    known = ", ".join(("MJPEG", "H264", *colours.RAW))
    raise Held(f"frames are coded as {picture.encoding!r}, which cannot be wrapped", f"the adapter must use: {known}")


def choose(family: str, found: Survey, coding: Coding) -> Iod:
    """The class: of the family, for a still or a clip. Raises Held for a family of waveforms."""
    if family == "auto":
        family = "capture"
    if family not in PICTURES:
        raise Held(f"iod = {family} is for waveforms, and these are pictures", f"set one of {', '.join(PICTURES)}")
    still, clip, gray = PICTURES[family]
    if found.count == 1 and not coding.video:
        return BY_KEY[still]
    return BY_KEY[gray if coding.format(0).samples == 1 else clip]


def cut(found: Survey, coding: Coding, largest: int) -> tuple[Part, ...]:
    """As many frames in each part as fit. Raises Held if one does not, or if there would be too many parts."""
    most = min(filter(None, (largest, coding.largest)), default=0)
    borders, size, last = [0], 0, 0
    for number, own in enumerate(found.sizes):
        if number and coding.starts(number):
            last = number
        if most and size + own > most:
            if last == borders[-1]:
                raise Held(
                    f"frame {number + 1} does not fit into an instance of {most >> 20} MiB with those before it",
                    "set a larger 'largest' for the device",
                )
            borders.append(last)
            size = sum(found.sizes[last:number])
        size += own
    if len(borders) >= SEPARATE:
        raise Held(
            f"in instances of {most >> 20} MiB the clip would come in {len(borders)} parts",
            "set a larger 'largest' for the device",
        )
    ends = [*borders[1:], found.count]
    pairs = enumerate(zip(borders, ends, strict=True), 1)
    return tuple(Part(n, len(ends), int(found.times[a] - found.times[0]), ((a, b),)) for n, (a, b) in pairs)


def _write(
    part: Part,
    found: Survey,
    coding: Coding,
    iod: Iod,
    wanted: Wanted,
    frames: Iterator[Frame],
    box: Box,
    out: Path,
    beat: Beat,
) -> InstanceRef:
    first, last = part.ranges[0]
    form = coding.format(sum(found.sizes[first:last]))
    facts, still = wanted.facts, iod.pictures is not None and not iod.pictures.frames
    since = found.times[first] - facts.started.monotonic
    shown = Shown(
        facts,
        wanted.exam,
        iod,
        wanted.picture,
        wanted.profile,
        form,
        part,
        last - first,
        None if still else timing(found.times[first:last], wanted.picture.rate),
        since if abs(since) < _PLAUSIBLE else 0.0,
        wanted.picture.rows * wanted.picture.columns * form.samples * found.count / max(1, found.received),
        tuple(_comments(found, part, wanted)),
    )
    head = header(shown, box)
    uid = str(head.SOPInstanceUID)
    target = out / f"{uid}.dcm"
    body = coding.body(found, first, last, islice(frames, last - first), beat)
    size = pixel_file.write(target, head, form.transfer_syntax_uid, body)
    return InstanceRef(iod.sop_class_uid, uid, form.transfer_syntax_uid, str(target), size)


def _comments(found: Survey, part: Part, wanted: Wanted) -> Iterator[str]:
    """What a reader must know and no other attribute says."""
    yield from wanted.notes
    if not wanted.facts.started.trusted:
        yield "the clock was not synchronized when it was recorded"
    if not part.whole:
        yield f"PART {part.number} OF {part.of} of one recording"
    if found.dropped:
        yield f"{found.dropped} frames are missing in it"
    first, last = part.ranges[0]
    for before, words in found.told:
        if first <= before < last or (before == last == found.count):
            yield f"after frame {before - first}: {words}"
    if found.untold:
        yield f"and {found.untold} events more"
    clip = timing(found.times[first:last], wanted.picture.rate)
    if clip.worst:
        yield f"frames came irregularly, up to {clip.worst:.3g} s off their Frame Time"


def _whole(path: Path, found: Survey, end: End) -> None:
    """Held unless the records give all that END counts."""
    if (len(found.used), found.gaps, found.markers) != (end.frames, end.gaps, end.markers):
        raise Held(
            f"{path} is damaged in the middle; {len(found.used)} of {end.frames} frames are readable",
            "check the disk; the recording is kept as it is, a backup of it may be put in its place and released",
        )
