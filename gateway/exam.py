"""The exam: a performed procedure step, opened and closed by a person, kept in a folder of its own.

Whoever starts it (command, page, device) writes ``exam.json``; capture hangs acquisitions on it, forward reads
it. One device is in at most one open exam of this boot. After a reboot nobody is selected: what the device
sends then is unattributed until a person confirms.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops, places
from gateway.clock import Clock, boot_id
from gateway.errors import Held, Misuse
from gateway.identifiers import new_exam_id, new_uid
from gateway.model import Attributed, Attribution, Closing, Code, Exam, from_json, to_json
from gateway.places import Places
from gateway.step import Item, value

VERSION = 1


@contextlib.contextmanager
def _only_one(here: Places) -> Iterator[None]:
    """Exams are written by several processes; one at a time."""
    fsops.make_folder(here.exams)
    descriptor = os.open(here.exams / ".lock", os.O_RDWR | os.O_CREAT, fsops.FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_exam(
    here: Places, clock: Clock, devices: tuple[str, ...], how: Attributed, item: Item, operator: str = ""
) -> Exam:
    """Open an exam on ``devices`` for the patient in ``item`` (DICOM JSON) and keep it.

    Raises Held if one of the devices is in an open exam: two patients on one device is never right.
    """
    now = clock.now()
    with _only_one(here):
        for device in devices:
            if (busy := current(here, device)) is not None:
                raise Held(
                    f"device {device!r} is in the open exam {busy.exam}",
                    f"stop that exam first: gateway exam stop {busy.exam}",
                )
        exam = Exam(
            exam=new_exam_id(now.wall),
            step_uid=new_uid(),
            study_uid=value(item, "0020000D") or new_uid(),
            devices=devices,
            opened=now,
            attribution=Attribution(how, item, now),
            operator=operator,
        )
        _keep(here, exam)
    return exam


def close_exam(here: Places, clock: Clock, exam: str, status: str = "COMPLETED", reason: Code | None = None) -> Exam:
    """Close an exam; one that is closed already stays as it was closed."""
    with _only_one(here):
        found = load(here, exam)
        if found.closed is not None:
            return found
        closed = dataclasses.replace(found, closed=Closing(status, clock.now(), reason))
        _keep(here, closed)
    return closed


def attribute(here: Places, clock: Clock, exam: str, how: Attributed, item: Item) -> Exam:
    """Give an exam that belongs to nobody yet to a patient. Another patient's exam is refused (Held)."""
    with _only_one(here):
        found = load(here, exam)
        if found.attribution.how is not Attributed.NOBODY:
            raise Held(f"exam {exam} is attributed already", "a correction is a step of its own")
        study_uid = value(item, "0020000D") or found.study_uid
        attribution = Attribution(how, item, clock.now())
        given = dataclasses.replace(found, study_uid=study_uid, attribution=attribution)
        _keep(here, given)
    return given


def load(here: Places, exam: str) -> Exam:
    """Raises Misuse if there is no such exam, Held if its file is damaged or of a newer format."""
    path = here.exam(exam)
    if not exam or os.sep in exam or exam.startswith(".") or not path.exists():
        raise Misuse(f"there is no exam {exam!r}", "gateway exam list shows all")
    return _read(path)


def exams(here: Places) -> list[Exam]:
    """All exams, oldest first."""
    found = sorted(here.exams.glob(f"*/{places.EXAM}"))
    return sorted((_read(path) for path in found), key=lambda e: e.opened.wall)


def current(here: Places, device: str) -> Exam | None:
    """The open exam of this boot that ``device`` is in."""
    for exam in exams(here):
        if device in exam.devices and exam.closed is None and exam.opened.boot == boot_id():
            return exam
    return None


def _keep(here: Places, exam: Exam) -> None:
    path = here.exam(exam.exam)
    fsops.make_folder(path.parent)
    fsops.write_json(path, to_json(exam))


def _read(path: Path) -> Exam:
    try:
        data = json.loads(path.read_bytes())
        if data.get("version", 0) > VERSION:
            raise Held(f"{path} has format version {data['version']}, newer than {VERSION}", "upgrade the gateway")
        return from_json(Exam, data)
    except (ValueError, TypeError, AttributeError) as error:
        raise Held(f"{path} is damaged: {error}", "its recordings are held until a person attributes them") from error
