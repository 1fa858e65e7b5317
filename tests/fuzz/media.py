"""``python -m tests.fuzz.media [N] [SEED] [FIRST]``: lying media, read, extended, mended; its last line sums up.

The DICOMDIRs of three programs (ours, dcmmkdir's, pydicom's), instance files and the list of hashes are damaged as
:mod:`tests.fuzz.mutations` does. Then everything is tried that the box may do with a medium.

crash      anything but a GatewayError, or a Report, comes out
hang       more looks into files than a hundred times as many as a sound medium needs, or a minute by the clock
refused    what was to be added was refused, in words
accepted   it was added, and the medium is sound then, or has no problem that it had not before; and holds the instance

Besides, looking changes nothing, a refused medium of another program stays as it is, and no instance file is ever lost
or changed but by its own removal: all that counts as a crash.

What fails is kept in a folder, which is named; the same SEED makes the same damage.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' builders import each other by bare names

from transfer.media.foreign import by_dcmmkdir, by_pydicom
from transfer.media.samples import GENERAL, data_set, write

from gateway.errors import GatewayError
from gateway.model import InstanceRef
from gateway.transfer import media, part10
from gateway.transfer.media import fileset, hashes, reading
from gateway.transfer.media.dicomdir import layout
from gateway.transfer.media.dicomdir.elements import Malformed, Window
from gateway.transfer.media.dicomdir.header import read_header
from gateway.transfer.media.soundness import walk
from tests.fuzz.mutations import mutated, mutated_lines

MOST_LOOKS = 200_000  # a sound medium of these takes less than 2 000
MOST_SECONDS = 60
COUNTED = ("hangs", "crashes", "refused", "accepted")


class Hang(BaseException):
    """Nothing in the product catches it."""


@dataclass
class Bases:
    """Sound media to begin with, and the instance that is added to what became of them."""

    folder: Path
    fresh: InstanceRef
    media: list[Path] = field(default_factory=list)


def bases(folder: Path) -> Bases:
    """One of each program; what does not come from a program has the same UIDs each time."""

    def made(number: int, **values: object) -> str:
        uids = {"SOPInstanceUID": f"1.2.826.{number}.1", "SeriesInstanceUID": f"1.2.826.{number}.2"}
        uids["StudyInstanceUID"] = f"1.2.826.{number}.3"
        return write(spool, data_set(**(uids | values))).path

    spool = folder / "spool"
    spool.mkdir()
    paths = [made(1), made(2, PatientID="P2", PatientName="Müller^Ä"), made(3, PatientID="P2", PatientName="Müller^Ä")]
    ours = folder / "ours"
    ours.mkdir()
    before, layout.SMALLEST_RESERVE = layout.SMALLEST_RESERVE, 2000
    for path in paths:
        ref = InstanceRef(str(data_set().SOPClassUID), Path(path).stem, "1.2.840.10008.1.2.1", path)
        media.add(ours, ref, "FUZZ")
    theirs = by_dcmmkdir(_folder(folder, "dcmmkdir"), {f"DATA/ECG{i}": path for i, path in enumerate(paths)})
    third = by_pydicom(_folder(folder, "pydicom"), paths)
    both = folder / "extended"
    shutil.copytree(theirs, both)
    fresh = InstanceRef(GENERAL, "1.2.826.9.1", "1.2.840.10008.1.2.1", made(9, PatientID="P9"))
    fresh = InstanceRef(str(data_set().SOPClassUID), "1.2.826.9.1", fresh.transfer_syntax_uid, fresh.path)
    more = made(8, PatientID="P2", PatientName="Müller^Ä")
    media.add(both, InstanceRef(fresh.sop_class_uid, Path(more).stem, fresh.transfer_syntax_uid, more), "FUZZ")
    layout.SMALLEST_RESERVE = before
    fileset._open.clear()
    return Bases(folder, fresh, [ours, theirs, third, both])


def _folder(above: Path, name: str) -> Path:
    (above / name).mkdir()
    return above / name


def damage(chance: random.Random, root: Path) -> str:
    """Damage one file of the medium; returns which."""
    instances = sorted(p for p in root.rglob("*") if p.is_file() and p.parent != root and p.parent.name != "GATEWAY")
    what = chance.choices(("DICOMDIR", "instance", "hashes"), (80, 12, 8))[0]
    if what == "hashes" and hashes.place(root).exists():
        hashes.place(root).write_bytes(mutated_lines(chance, hashes.place(root).read_bytes()))
        return f"{hashes.FOLDER}/{hashes.NAME}"
    path = chance.choice(instances) if what == "instance" else root / "DICOMDIR"
    path.write_bytes(mutated(chance, path.read_bytes()))
    return path.relative_to(root).as_posix()


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Raises Hang after too many looks, or too long a time."""
    looks, spend = 0, Window.spend

    def counting(self: Window, more: int = 1) -> None:
        nonlocal looks
        looks += more
        if looks > MOST_LOOKS:
            raise Hang(f"{looks} looks")
        spend(self, more)

    def late(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"{MOST_SECONDS} seconds")

    Window.spend = counting  # type: ignore[method-assign]
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        Window.spend = spend  # type: ignore[method-assign]


def one(chance: random.Random, found: Bases, root: Path) -> str:
    """One damaged medium, from its making to what became of it. Raises whatever must not come out."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(chance.choice(found.media), root)
    damaged = root / damage(chance, root)
    fileset._open.clear()
    with watched():
        before, files, whole = problems(root), instances(root), tree(root)
        look_at(root, damaged)
        assert tree(root) == whole, "looking changed it"
        if chance.random() < 0.3:
            with contextlib.suppress(GatewayError):
                media.repair(root)
                before = problems(root)
        if chance.random() < 0.1:
            with contextlib.suppress(GatewayError):
                files.pop(media.remove(root, f"1.2.826.{chance.randrange(1, 9)}.1"), None)
        lost = {
            name for name, data in files.items() if not (root / name).exists() or (root / name).read_bytes() != data
        }
        assert not lost, f"lost by repair or by a removal: {lost}"
        theirs, whole = not (root / hashes.FOLDER).exists(), tree(root)
        try:
            file_id = media.add(root, found.fresh, "FUZZ").file_id
        except GatewayError as error:
            assert error.fix, f"nobody is told what to do: {error}"
            assert not theirs or tree(root) == whole, f"refused, and changed: {error}"
            return "refused"
        finally:
            assert files.items() <= instances(root).items(), "what was there is gone, or changed"
        after = problems(root)
        assert after <= before, f"worse than before: {sorted(after - before)[:3]}"
        assert hashes.remembered(root)[file_id] == hashes.of_file(Path(found.fresh.path)), "its hash is not remembered"
        assert found.fresh.sop_instance_uid in {i.uid for i in reading.read(root, root).instances}, "it is not there"
    return "accepted"


def look_at(root: Path, damaged: Path) -> None:
    """All that only reads."""
    for look in (media.status, lambda at: reading.read(at, at / "no register"), lambda _: read_header(damaged)):
        with contextlib.suppress(GatewayError):
            look(root)
    with damaged.open("rb") as stream, contextlib.suppress(GatewayError, Malformed):
        walk(Window(stream.fileno()), part10.read(stream.fileno(), damaged.name))


def tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def instances(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(root).items() if not name.startswith(("GATEWAY/", "DICOMDIR"))}


def problems(root: Path) -> set[str]:
    """What verify finds, without the offsets in it."""
    try:
        return {re.sub(r"\d+", "0", words) for words in media.verify(root).problems}
    except GatewayError as error:
        return {str(error)}


def run(mutations: int, seed: int, first: int, work: Path, keep: Path) -> Counter[str]:
    """So many of them, from the ``first`` on; what fails is copied to ``keep``."""
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    found, said = bases(work), time.monotonic()
    for number in range(first, first + mutations):
        try:
            counts[one(random.Random(f"{seed} {number}"), found, work / "medium")] += 1
        except (Hang, Exception) as error:
            counts["hangs" if isinstance(error, Hang) else "crashes"] += 1
            shutil.copytree(work / "medium", keep / str(number), symlinks=True, dirs_exist_ok=True)
            print(f"mutation {number}, kept in {keep / str(number)}:", file=sys.stderr)
            traceback.print_exc(limit=-8)
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"{number - first + 1} of {mutations}: {dict(counts)}", file=sys.stderr, flush=True)
    return counts


def main(mutations: int = 10_000, seed: int = 1, first: int = 0) -> int:
    memory = Path("/dev/shm")
    logging.getLogger("gateway").setLevel(logging.CRITICAL)  # ten thousand media have much to say
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None) as work:
        counts = run(mutations, seed, first, Path(work), Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}")
    print(f"{mutations} mutations: " + ", ".join(f"{counts[name]} {name}" for name in COUNTED))
    return 1 if counts["hangs"] or counts["crashes"] else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
