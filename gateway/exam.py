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
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from gateway import fsops, places
from gateway.clock import Clock, boot_id
from gateway.errors import Held, Misuse, fix_of
from gateway.identifiers import new_exam_id, new_uid
from gateway.model import Attributed, Attribution, Closing, Code, Exam, from_json, to_json
from gateway.places import Places
from gateway.step import Item, value

log = logging.getLogger(__name__)
VERSION = 2
_LONGEST_OPEN = 86400.0  # seconds; the longest exam_idle: what was not written for so long is open no more
_said: set[Path] = set()  # damaged files that the log names already
_closed: dict[Path, tuple[int, int]] = {}  # files of closed exams as they were (time, inode): not read again and again


@contextlib.contextmanager
def only_one(here: Places) -> Iterator[None]:
    """Exams are written by several processes; one at a time."""
    fsops.make_folder(here.exams)
    descriptor = os.open(here.exams / ".lock", os.O_RDWR | os.O_CREAT, fsops.FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_exam(
    here: Places,
    clock: Clock,
    devices: tuple[str, ...],
    how: Attributed,
    item: Item,
    source: str = "",
    more: tuple[Item, ...] = (),
    *,
    operator: str = "",
) -> Exam:
    """Open an exam on ``devices`` for the patient in ``item`` (DICOM JSON) and keep it.

    ``source``: the RIS whose item it is; ``more``: further items of the same patient (group case). Raises Held if one
    of the devices is in an open exam: two patients on one device is never right.
    """
    now = clock.now()
    with only_one(here):
        for device in devices:
            if (busy := current(here, device)) is not None:
                raise Held(
                    f"device {device!r} is in the open exam {busy.exam}",
                    f"stop that exam first: gateway exam stop {busy.exam}",
                )
        exam = Exam(
            exam=new_exam_id(now.wall),
            step_uid=new_uid(),
            study_uid=study_of((item, *more)) or new_uid(),
            devices=devices,
            opened=now,
            attribution=Attribution(how, item, now, source, more),
            operator=operator,
        )
        keep(here, exam)
    return exam


def keep_new(here: Places, made: Exam) -> Exam:
    """Keep an exam that somebody else has made up; one of that id that is there already stays, and is returned."""
    with only_one(here):
        if here.exam(made.exam).exists():
            return load(here, made.exam)
        keep(here, made)
    return made


def close_exam(here: Places, clock: Clock, exam: str, status: str = "COMPLETED", reason: Code | None = None) -> Exam:
    """Close an exam; one that is closed already stays as it was closed."""
    with only_one(here):
        found = load(here, exam)
        if found.closed is not None:
            return found
        closed = dataclasses.replace(found, closed=Closing(status, clock.now(), reason))
        keep(here, closed)
    return closed


def study_of(items: tuple[Item, ...]) -> str:
    """The Study Instance UID that all items agree on, or "": then the exam has a new one (IHE group case)."""
    found = {value(item, "0020000D") for item in items}
    return found.pop() if len(found) == 1 else ""


def attribute(
    here: Places,
    clock: Clock,
    exam: str,
    how: Attributed,
    item: Item,
    source: str = "",
    more: tuple[Item, ...] = (),
) -> Exam:
    """Give an exam that belongs to nobody yet to a patient. Another patient's exam is refused (Held)."""
    with only_one(here):
        found = load(here, exam)
        if found.attribution.how is not Attributed.NOBODY:
            raise Held(f"exam {exam} is attributed already", "a correction is a step of its own")
        study_uid = study_of((item, *more)) or found.study_uid
        attribution = Attribution(how, item, clock.now(), source, more)
        given = dataclasses.replace(found, study_uid=study_uid, attribution=attribution)
        keep(here, given)
    return given


def note_change(here: Places, exam: str, what: tuple[str, ...], at: float) -> bool:
    """Note which attributes the RIS changed of the exam's step while it was open; False if that is known already."""
    before = changed(here, exam)
    after = tuple(dict.fromkeys((*before, *what)))
    if after == before:
        return False
    fsops.write_json(here.exam(exam).with_name(places.CHANGED), {"version": 1, "what": list(after), "at": at})
    return True


def changed(here: Places, exam: str) -> tuple[str, ...]:
    """What :func:`note_change` noted. A file that cannot be read is a change too: that is the safe side."""
    try:
        return tuple(map(str, json.loads(here.exam(exam).with_name(places.CHANGED).read_bytes())["what"]))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError, KeyError, TypeError):
        return ("something",)


def load(here: Places, exam: str) -> Exam:
    """Raises Misuse if there is no such exam, Held if its file is damaged or of a newer format."""
    path = here.exam(exam)
    if not exam or os.sep in exam or exam.startswith(".") or not path.exists():
        raise Misuse(f"there is no exam {exam!r}", "gateway exam list shows all")
    return _read(path)


def exams(here: Places) -> list[Exam]:
    """All exams that can be read, oldest first; the others are :func:`damaged`."""
    return _all(here)[0]


def still_open(here: Places) -> list[Exam]:
    """The exams that nobody closed, of this boot or another, oldest first. Costs one look at each closed one."""
    return _all(here, only_open=True)[0]


def damaged(here: Places) -> dict[str, Held]:
    """The exams that cannot be read, by id, and why."""
    return {path.parent.name: error for path, error in _all(here)[1].items()}


def current(here: Places, device: str) -> Exam | None:
    """The open exam of this boot that ``device`` is in.

    Raises Held if there seems to be none, but a damaged file could be it.
    """
    readable, unreadable = _all(here, only_open=True)
    for exam in readable:
        if device in exam.devices and exam.opened.boot == boot_id():
            return exam
    for path, error in unreadable.items():
        if _could_be_open(path, device):
            raise error
    return None


def sweep(here: Places) -> None:
    """Remove what a power cut left of writing exams: temporary files, and folders that no exam.json came into."""
    if not here.exams.exists():
        return
    with only_one(here):
        for folder in here.exams.iterdir():
            left = list(folder.iterdir()) if folder.is_dir() else [folder]
            if all(path.name.startswith(f".{places.EXAM}.") for path in left):
                fsops.remove_folder(folder)
            elif any(path.name.endswith(".part") for path in left):
                fsops.sweep(folder)


def interrupted(exam: Exam) -> bool:
    """Whether the exam was open when the box restarted, and still is: nobody is selected by it any more."""
    return exam.closed is None and exam.opened.boot != boot_id()


def _all(here: Places, only_open: bool = False) -> tuple[list[Exam], dict[Path, Held]]:
    """Every exam (or open exam) that can be read, oldest first, and the error of every one that cannot."""
    readable: list[Exam] = []
    unreadable: dict[Path, Held] = {}
    for path in sorted(here.exams.glob(f"*/{places.EXAM}")):
        try:
            if only_open and path in _closed and _closed[path] == _as_it_is(path):
                continue
            found = _read(path)
            if found.closed is not None:
                _closed[path] = _as_it_is(path)
            if found.closed is None or not only_open:
                readable.append(found)
        except FileNotFoundError:  # removed in this moment
            continue
        except Held as error:
            if not path.exists():  # removed in this moment
                continue
            unreadable[path] = error
            if path not in _said:
                _said.add(path)
                log.error("%s", error)
    return sorted(readable, key=lambda e: e.opened.wall), unreadable


def _as_it_is(path: Path) -> tuple[int, int]:
    """Changes whenever the file is replaced."""
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


def _could_be_open(path: Path, device: str) -> bool:
    """Whether a damaged file may be the open exam of ``device``, by what is left of it and when it was written."""
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        data = json.loads(path.read_bytes())
        boot = (data.get("opened") or {}).get("boot", boot_id())
        if data.get("closed") or boot != boot_id() or device not in data.get("devices", (device,)):
            return False
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return True
    return age < min(_LONGEST_OPEN, time.monotonic())


def keep(here: Places, exam: Exam) -> None:
    """Write it down, durably; for whoever has :func:`only_one`. Raises Held if that cannot be."""
    path = here.exam(exam.exam)
    new = not path.parent.exists()
    try:
        fsops.make_folder(path.parent)
        fsops.write_json(path, to_json(exam))
    except OSError as error:
        if new:
            with contextlib.suppress(OSError):
                fsops.remove_folder(path.parent)
        words = f"exam {exam.exam} cannot be written down in {here.exams} ({error.strerror})"
        raise Held(words, fix_of(error)) from error


def _read(path: Path) -> Exam:
    try:
        data = json.loads(path.read_bytes())
        if data.get("version", 0) > VERSION:
            raise Held(f"{path} has format version {data['version']}, newer than {VERSION}", "upgrade the gateway")
        return from_json(Exam, data)
    except OSError as error:
        raise Held(f"{path} cannot be read ({error.strerror})", "check the storage medium") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise Held(f"{path} is damaged: {error}", "its recordings are held until a person attributes them") from error
