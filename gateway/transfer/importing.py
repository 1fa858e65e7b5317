"""``media import``: from a medium that nobody trusts to instances staged for forward; what the box has is passed over.

What may go on by itself and what a person must look at:

- a file whose hash a gateway remembered, and which still has it, was checked and attributed when it was made: it goes
  on, unless it names another institution than this box does;
- any other (another maker's media, a file cut off before its hash was kept) may carry another hospital's Patient ID: it
  is held for every destination until a person releases it, or said so beforehand;
- what is damaged, or is another object under a UID that this box knows, is named and stays where it is.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from gateway.acquire.admission import LAST_ROOM, MIB, room
from gateway.dicom import iods
from gateway.dicom.check import ERROR, check
from gateway.errors import Held, Misuse, Retry
from gateway.settings import Settings
from gateway.spool import imports
from gateway.transfer import part10
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.reading import MOST_FAILURES, Contents, Instance
from gateway.transfer.media.soundness import INSTITUTION, MOST_READS, PATIENT_ID, walk
from gateway.transfer.media.walking import NoFile, open_below, shown

FOREIGN = "from other media, check that its patient belongs here"
ELSEWHERE = "from another institution's media, check that its patient belongs here"
_OVERHEAD = 64 << 10  # bytes: folder, hash, mark and row of one instance
_PATIENCE = 60.0  # seconds without progress of forward
_LOOK = 0.1  # seconds

Ask = Callable[[dict[str, Any]], dict[str, Any]]  # forward
Beat = Callable[[str], None]  # what is done, for the person who waits


@dataclass
class Imported:
    """What became of a medium's instances. ``left_out``, ``other`` and ``findings``: (File ID, why)."""

    medium: Contents
    name: str = ""  # of the import; "" if nothing had to be staged
    taken: int = 0  # or would be, if it is only tried
    held: int = 0  # of those taken
    known: int = 0  # the box has them, or had them and its destinations do
    patients: set[bytes] = field(default_factory=set)  # digests, of those taken
    left_out: list[tuple[str, str]] = field(default_factory=list)
    other: list[tuple[str, str]] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)


class Unsound(Exception):
    """One instance is damaged; it is left out, and said why."""


class Unreadable(Exception):
    """One file is not there any more, or the medium does not give it back."""


class Importer:
    """``release``: a person said that all of it belongs here. ``dry``: look at everything, take nothing."""

    def __init__(self, settings: Settings, ask: Ask, who: str, beat: Beat, release: bool, dry: bool) -> None:
        self._settings = settings
        self._here = settings.places
        self._ask = ask
        self._who = who
        self._beat = beat
        self._release = release
        self._dry = dry

    def run(self, medium: Contents) -> Imported:
        """Stage what the box does not know. Raises Retry if the medium or forward goes away, Held if the disk is full:
        what was staged until then is kept, and given again, the command goes on."""
        done = Imported(medium, left_out=list(medium.lacking))
        wanted = self._unknown(medium, done)
        self._refuse_full(wanted, done)
        failures = 0  # one after the other: a bad block spoils one file, a pulled stick all that follow
        for number, one in enumerate(wanted, 1):
            self._beat(f"{number} of {len(wanted)} read from {medium.root}")
            try:
                self._one(medium, one, done, number)
            except (Unsound, Malformed) as error:
                done.left_out.append((one.file_id, str(error)))
                failures = 0
            except Unreadable as error:
                done.left_out.append((one.file_id, str(error)))
                failures += 1
                if failures == MOST_FAILURES:
                    words = f"the medium at {medium.root} cannot be read any more ({error})"
                    raise Retry(words, "plug it in again and give the command again: it goes on") from error
            else:
                failures = 0
        self._wait(done)
        return done

    def _unknown(self, medium: Contents, done: Imported) -> list[Instance]:
        """What is not known here, each UID once; of those with two contents on the medium none."""
        found: dict[str, Instance] = {}
        twice: set[str] = set()
        for one in medium.instances:
            if (before := found.setdefault(one.uid, one)) is not one and self._hash(medium, one) != self._hash(
                medium, before
            ):
                twice.add(one.uid)
        for one in medium.instances:
            if one.uid in twice:
                done.other.append((one.file_id, "the medium has two objects with its UID"))
        unknown = []
        everything = iter(one for uid, one in found.items() if uid not in twice)
        while some := list(itertools.islice(everything, imports.MOST_ASKED)):
            known = self._ask({"do": "import-known", "instances": [one.uid for one in some]})["known"]
            for one in some:
                sha256 = known.get(one.uid, {}).get("sha256")
                same = sha256 in (None, one.said) or sha256 == self._hash(medium, one)
                if one.uid not in known or (same and sha256 and known[one.uid]["damaged"]):
                    unknown.append(one)
                elif same:
                    done.known += 1
                else:
                    done.other.append(
                        (one.file_id, f"this box has another object with its UID (SHA-256 {sha256[:12]}...)")
                    )
        return unknown

    def _hash(self, medium: Contents, one: Instance) -> str:
        """What it really is; "" if it cannot be read."""
        self._beat(f"{shown(one.file_id)} is compared")
        try:
            with _opened(medium, one) as stream:
                return self._copy(stream, None)
        except (Unreadable, Unsound):
            return ""

    def _refuse_full(self, wanted: list[Instance], done: Imported) -> None:
        """Say at once what does not fit. A file that says more than the whole disk could hold is left out alone."""
        free = room(self._here.data).free - max(self._settings.spool.reserve * MIB, LAST_ROOM)
        disk = shutil.disk_usage(self._here.data).total
        for one in [one for one in wanted if one.size > disk]:
            wanted.remove(one)
            done.left_out.append(
                (one.file_id, f"its file says {one.size // MIB} MiB, more than the disk of this box can hold")
            )
        need = sum(one.size + _OVERHEAD for one in wanted)
        if wanted and need > free and not self._dry:
            there = max(0, free) // MIB
            raise Held(
                f"the medium holds {-(-need // MIB)} MiB that this box lacks, its disk has {there} MiB for them",
                "make room (gateway queue list), or import one folder of it after the other",
            )

    def _one(self, medium: Contents, one: Instance, done: Imported, number: int) -> None:
        if self._dry:
            with _opened(medium, one) as stream:
                said = self._judge(one, stream, self._copy(stream, None), done)
        else:
            said = self._stage(medium, one, done, number)
        done.taken += 1
        done.held += bool(said)

    def _stage(self, medium: Contents, one: Instance, done: Imported, number: int) -> str:
        if room(self._here.data).free < one.size + _OVERHEAD + max(self._settings.spool.reserve * MIB, LAST_ROOM):
            raise Held("the disk of this box has filled meanwhile", "make room (gateway queue list), and give it again")
        done.name = done.name or self._begin(medium)
        digest = held = ""

        def write(target: BinaryIO) -> str:
            nonlocal digest
            with _opened(medium, one) as source:
                digest = self._copy(source, target)
            return digest

        def judge(path: Path) -> str:
            nonlocal held
            with path.open("rb") as stream:
                held = self._judge(one, stream, digest, done)
            self._check(one, path, done)
            return held

        name = f"{done.name}-{number:06}"
        imports.stage(self._here, name, one.uid, write, judge)
        self._ask({"do": "import-staged", "name": name})
        return held

    def _begin(self, medium: Contents) -> str:
        how = "released beforehand" if self._release else "held unless a gateway made it"
        why = f"from {medium.root}, file-set {medium.file_set_uid or 'without a UID'}; {how}"
        return str(self._ask({"do": "import-begin", "who": self._who, "why": why})["import"])

    def _copy(self, source: BinaryIO, target: BinaryIO | None) -> str:
        """Copy (or only read) a file, at most as long as it is now; returns its SHA-256."""
        left, digest = os.fstat(source.fileno()).st_size, hashlib.sha256()
        for block in _blocks(source):
            left -= len(block)
            if left < 0:
                raise Unsound("it became longer while it was read")
            digest.update(block)
            if target is not None:
                target.write(block)
            self._beat("")
        if left:
            raise Unsound("it became shorter while it was read")
        return digest.hexdigest()

    def _judge(self, one: Instance, stream: BinaryIO, digest: str, done: Imported) -> str:
        """Look at a whole file; returns why it is held, or "". Raises Unsound or Malformed."""
        if one.said not in (None, digest):
            raise Unsound("its content is not what was written")
        try:
            header = part10.read(stream.fileno(), "it")
        except Misuse as error:
            raise Unsound(error.message) from error
        if header.sop_instance_uid != one.uid:
            raise Unsound("it became another object while it was read")
        values = walk(Window(stream.fileno(), most=MOST_READS), header)
        done.patients.add(hashlib.sha256(values.get(PATIENT_ID, b"")).digest())
        if self._release:
            return ""
        own, named = self._settings.box.institution_name.encode(), values.get(INSTITUTION, b"")
        fix = f"gateway queue release {done.name}, or {one.uid} alone"
        if one.said is None:
            return f"{FOREIGN}: {fix}"
        return f"{ELSEWHERE}: {fix}" if own and named and own != named else ""

    def _check(self, one: Instance, path: Path, done: Imported) -> None:
        """What the tables say of it: reported, no more; it is sent as it is, or not at all."""
        with path.open("rb") as stream:
            if part10.read(stream.fileno(), "it").sop_class_uid not in iods.BY_CLASS:
                return
        errors = [finding for finding in check(path) if finding.severity == ERROR]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            done.findings.append((one.file_id, f"{errors[0]}{more}"))

    def _wait(self, done: Imported) -> None:
        """Until forward has taken all, so that giving the command again at once finds it all known."""
        left, since = done.taken if done.name else 0, time.monotonic()
        while left and time.monotonic() - since < _PATIENCE:
            self._beat(f"forward takes {left} instances")
            time.sleep(_LOOK)
            now = self._ask({"do": "import-left", "import": done.name})["left"]
            left, since = now, time.monotonic() if now < left else since
        if left:
            words = f"{left} instances are staged, and forward does not take them"
            raise Retry(words, "they are not lost: gateway status says why")


def _opened(medium: Contents, one: Instance) -> BinaryIO:
    """Raises Unreadable."""
    try:
        return os.fdopen(open_below(medium.root, one.file_id), "rb")
    except NoFile as error:
        raise Unreadable(str(error)) from error
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from error


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    try:
        while block := source.read(MIB):
            yield block
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from error
