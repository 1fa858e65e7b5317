"""Sticks that come and go at a box that runs as it does in a hospital. Each case begins with the same backlog."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from pydicom.fileset import FileSet

from tests.pulls import evidence
from tests.pulls.storm import run as storm
from tests.transfer.media.samples import data_set, write
from tests.vm import disk
from tests.vm import stick as sticks
from tests.vm.stick import Kind, Stick
from tests.vm.ward import RECORDINGS, Copies, Inserted, Look, Ward, Wrong, copies

ROOMY, SMALL = Kind(32, 64, 512), Kind(16, 4, 512)
SALVAGED = ("FSCK0000.REC", b"saved by another computer's check")
PHOTO = ("IMG_0001.JPG", random.Random(1).randbytes(1_200_000))


def backlog(ward: Ward) -> None:
    """the backlog is written and the stick taken out in order"""
    stick = _stick(ward)
    inserted = ward.insert(stick, _dice())
    look = ward.until("all is on it", _all_stored)
    (options,) = look["mounts"].values()
    wanted = {"nodev", "nosuid", "noexec", "fmask=0077", "dmask=0077"}
    _check(wanted <= set(options.split(",")), f"mounted with {options}")
    (name,) = look["told"]
    _eject(ward, name)
    ward.remove(inserted)
    _judge(ward, stick, copies(look), complete=True)
    ward.until("nothing is told of a stick that is gone", lambda look: not look["told"])


def pulled(ward: Ward) -> None:
    """pulled in mid-write"""
    stick, dice = _stick(ward), _dice()
    for moment in (dice.randint(40, 100), dice.randint(40, 160)):
        inserted = ward.insert(stick, dice, moment)
        _until_off(ward, inserted)
        ward.remove(inserted)
        look = ward.until("nothing is mounted any more", lambda look: not look["mounts"] and not look["told"])
        _check(look["waiting"] != [], "all was on it before it was pulled: too late a moment")
        _judge(ward, stick, copies(look))
    _fill(ward, stick)


def loose_contact(ward: Ward) -> None:
    """gone in mid-write and back at once"""
    stick, dice = _stick(ward), _dice()
    for _ in range(3):
        inserted = ward.insert(stick, dice, dice.randint(30, 80))
        _until_off(ward, inserted)
        ward.remove(inserted)
    _fill(ward, stick)


def power_cut(ward: Ward) -> None:
    """the box and its stick lose their power in mid-write; what a check saves of nameless pieces does not stay"""
    stick, dice = _stick(ward, photo=SALVAGED), _dice()
    inserted = ward.insert(stick, dice, dice.randint(60, 160))
    _until_off(ward, inserted)
    ward.cut_and_boot(inserted)
    look = ward.until("forward is up again", lambda look: len(look["hashes"]) == RECORDINGS)
    _judge(ward, stick, copies(look))
    stick.orphan()
    _fill(ward, stick)
    pieces = [path.name for path in (ward.work / "out").glob("*.REC")]
    journal = ward.journal()
    _check(pieces == [SALVAGED[0]], f"{pieces} lie on it; only what was there before should; the journal: {journal}")
    _check("pieces of files that were cut off are removed" in journal, f"nothing was removed; the journal: {journal}")


def second(ward: Ward) -> None:
    """a second stick goes on where the first is full"""
    first, other = _stick(ward, SMALL, PHOTO), _stick(ward)
    inserted = ward.insert(first, _dice())
    ward.until("something is on the first", lambda look: bool(look["stored"]))
    _await(ward, "is full")
    then = ward.insert(other, _dice())
    look = ward.until("all is on the two", _all_stored)
    ward.remove(inserted)
    ward.remove(then)
    found = copies(look)
    titles = set()
    for stick in (first, other):
        titles.add(_judge(ward, stick, found, only_of_it=True))
    _check(titles == {"GATEWAY", "GATEWAY_2"}, f"the file-sets are called {titles}")
    _check(len(set(found.file_sets.values())) == 2, "there are not two file-sets")


def foreign(ward: Ward) -> None:
    """a stick with somebody else's DICOMDIR is not harmed"""
    stick = _stick(ward)
    folder = Path(tempfile.mkdtemp(dir=ward.work))
    theirs = write(folder, data_set(PatientID="THEIRS"))
    made = FileSet()
    made.add(theirs.path)
    made.write(folder / "set")
    for path in sorted((folder / "set").iterdir()):
        stick.put(path, path.name)
    inserted = ward.insert(stick, _dice())
    ward.until("it is mounted", lambda look: bool(look["mounts"]))
    ward.until(
        "it was looked at", lambda look: bool(look["stored"]) or "another program" in ward.command("media", "status")
    )
    ward.remove(inserted)
    out = ward.work / "theirs"
    shutil.rmtree(out, ignore_errors=True)
    _check(not stick.read_out(out), "it cannot be read any more")
    found = {one.SOPInstanceUID: Path(one.path).read_bytes() for one in FileSet(out / "DICOMDIR")}
    _check(found.get(theirs.sop_instance_uid) == Path(theirs.path).read_bytes(), "their instance is not there")


def asked(ward: Ward) -> None:
    """one that is not named in the configuration is used after a person allowed it, not before"""
    stick = _stick(ward, label="SOMEBODY")
    inserted = ward.insert(stick, _dice())
    look = ward.until("it asks", lambda look: any(t["state"] == "asked" for t in look["told"].values()))
    _check(not look["mounts"] and inserted.plug.requests == 0, "it was written to before anybody was asked")
    (name,) = look["told"]
    ward.command("media", "allow", name)
    look = ward.until("all is on it", _all_stored)
    ward.remove(inserted)
    _judge(ward, stick, copies(look), complete=True)


def refused(ward: Ward) -> None:
    """one that is no FAT is left alone, and the box says why"""
    stick = _stick(ward)
    (ward.work / "empty").mkdir(exist_ok=True)
    ext4 = disk.ext4(ward.work / "empty", ward.work / "ext4.img", "16M").read_bytes()
    with stick.image.open("r+b") as stream:
        stream.seek(sticks.START * sticks.SECTOR)
        stream.write(ext4)
    inserted = ward.insert(stick, _dice())
    look = ward.until("it is refused", lambda look: any(t["state"] == "refused" for t in look["told"].values()))
    (told,) = look["told"].values()
    _check("FAT" in told["words"], told["words"])
    _check(inserted.plug.requests == 0 and not look["mounts"], "it was touched")
    ward.remove(inserted)


def control(ward: Ward) -> None:
    """a gateway that never syncs, or syncs as if FAT were POSIX, is caught"""
    for weakness in ("never", "entry"):
        work = Path(tempfile.mkdtemp(prefix="c", dir=ward.work))
        ward.machine.cut()  # one machine at a time
        _check(storm(work, 12, 1, weakness).missing > 0, f"'{weakness}' was not caught within 12 accidents")
        shutil.rmtree(work)


CASES = (backlog, pulled, loose_contact, power_cut, second, foreign, asked, refused, control)


def _dice() -> random.Random:
    return random.Random(7)


def _stick(ward: Ward, kind: Kind = ROOMY, photo: tuple[str, bytes] | None = None, label: str = "GATEWAY") -> Stick:
    stick = sticks.make(Path(tempfile.mkstemp(suffix=".img", dir=ward.work)[1]), kind, label)
    if photo:
        (ward.work / photo[0]).write_bytes(photo[1])
        stick.put(ward.work / photo[0], photo[0])
    return stick


def _all_stored(look: Look) -> bool:
    return len(look["stored"]) == RECORDINGS and not look["waiting"]


def _until_off(ward: Ward, inserted: Inserted) -> None:
    """Until its power failed."""
    if not inserted.plug.off.wait(180.0):
        raise Wrong(f"after {inserted.plug.requests} writes nothing more is written:\n{ward.journal()}")


def _eject(ward: Ward, name: str) -> None:
    """As a person does who was told that it is still being written, in a machine that may be slow."""
    try:
        ward.command("media", "eject", name)
    except Wrong as still:
        if "is still being written" not in str(still):
            raise
        ward.until("it is written to its end and unmounted", lambda look: not look["mounts"])
    _check(not ward.look()["mounts"], "it is still mounted after it was ejected")


def _await(ward: Ward, words: str) -> None:
    ward.until(f"the box says: {words}", lambda _: words in ward.command("media", "status"))


def _fill(ward: Ward, stick: Stick) -> None:
    """Plug it in again: the rest is written, once, and all of it is sound."""
    inserted = ward.insert(stick, _dice())
    look = ward.until("the rest is on it", _all_stored)
    (name,) = look["told"]
    _eject(ward, name)
    ward.remove(inserted)
    _judge(ward, stick, copies(look), complete=True)


def _judge(ward: Ward, stick: Stick, found: Copies, complete: bool = False, only_of_it: bool = False) -> str:
    """What is on it against what the ledger says; returns its File-set ID. ``complete``: all is on it, and sound."""
    seen = evidence.look(stick, ward.work / "out", None, complete)
    _check(not seen.objections, f"not readable by others: {seen.objections}")
    on_it = {u: f for u, f in found.said.items() if not only_of_it or found.file_sets[u] == seen.file_set_uid}
    for uid, file_id in on_it.items():
        _check(
            seen.named.get(uid) == file_id, f"{file_id} was said to be on it; the DICOMDIR says {seen.named.get(uid)}"
        )
    for uid, file_id in seen.named.items():
        _check(seen.hashes.get(file_id) == found.hashes[uid], f"{file_id} is not what the box has")
    _check(len(seen.named.keys() - on_it.keys()) <= 1, "more is on it than was written")
    if complete:
        _check(len(seen.named) == RECORDINGS, f"{len(seen.named)} of {RECORDINGS} are on it")
        _check(not seen.problems, f"media verify: {seen.problems}")
    return seen.file_set_id


def _check(true: bool, words: str) -> None:
    if not true:
        raise Wrong(words)
