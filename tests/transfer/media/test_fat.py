"""FAT replaces no file at once: whatever a cut within a rename leaves, nothing is lost that was said to be there.

A rename writes two directory entries (and, over an old file, frees its clusters) in no promised order. So at a cut the
name may lead to the old file or to the new one, the new one may still have its temporary name beside it or only that,
or neither entry made it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cutting import Cut
from transfer.media.foreign import by_dcmmkdir, dcmmkdir, three
from transfer.media.samples import Make
from transfer.media.test_foreign import leaves

from gateway import fsops
from gateway.transfer import media
from gateway.transfer.media import fileset
from gateway.transfer.media.dicomdir import layout


def _both(temporary: Path, name: Path) -> None:
    shutil.copy(temporary, name)


def _only_temporary(_temporary: Path, name: Path) -> None:
    name.unlink(missing_ok=True)


def _neither(temporary: Path, name: Path) -> None:
    temporary.unlink()
    name.unlink(missing_ok=True)


def _old(temporary: Path, _name: Path) -> None:
    temporary.unlink()


LEFT: dict[str, Callable[[Path, Path], None]] = {
    "both names": _both,
    "only the temporary name": _only_temporary,
    "neither name": _neither,
    "the old file, the new one lost": _old,
    "the new file": lambda temporary, name: temporary.replace(name),
    "the old file and the temporary name": lambda _temporary, _name: None,
}


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    fsops.watch = None
    fileset._open.clear()


def renames(act: Callable[[Path], object], root: Path) -> list[str]:
    seen: list[str] = []
    fsops.watch = lambda when, what, where: seen.append(where) if (when, what) == ("before", "rename") else None
    act(root)
    fsops.watch = None
    return seen


def cut_at(act: Callable[[Path], object], root: Path, number: int, left: Callable[[Path, Path], None]) -> str:
    """Lose power within the rename of this number."""
    count, where_cut = 0, ""

    def stop(when: str, what: str, where: str) -> None:
        nonlocal count, where_cut
        if (when, what) == ("before", "rename"):
            count += 1
            if count == number:
                name = Path(where)
                left(next(iter(name.parent.glob(f".{name.name}.*.part"))), name)
                where_cut = name.name
                raise Cut

    fsops.watch = stop
    with pytest.raises(Cut):
        act(root)
    fsops.watch = None
    fileset._open.clear()
    return where_cut


def foreign(root: Path, make: Make) -> set[str]:
    by_dcmmkdir(root, three(make))
    return set(leaves(root))


def extended(root: Path, make: Make) -> set[str]:
    foreign(root, make)
    media.add(root, make(PatientID="F1"), "FAT")
    media.add(root, make(PatientID="N1"), "FAT")
    return set(leaves(root))


def written_over(root: Path, make: Make) -> set[str]:
    extended(root, make)
    shutil.copy(make(PatientID="F9").path, root / "DATA" / "ECG9")
    dcmmkdir(root, "+A", "+id", str(root), "DATA/ECG9")
    return set(leaves(root))


def ours(root: Path, make: Make) -> set[str]:
    media.add(root, make(PatientID="N0"), "FAT")
    media.add(root, make(PatientID="N1"), "FAT")
    return set(leaves(root))


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("begin", [foreign, extended, written_over, ours])
def test_a_cut_while_an_instance_is_added(
    begin: Callable[[Path, Make], set[str]],
    left: str,
    make: Make,
    stick: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layout, "SMALLEST_RESERVE", 300)  # each add replaces the DICOMDIR
    old = begin(stick, make)
    new = make(PatientID="F1", InstitutionAddress="far away " * 100)
    fileset._open.clear()

    def act(root: Path) -> None:
        media.add(root, new, "FAT")

    shutil.copytree(stick, tmp_path / "rehearsal")
    total = len(renames(act, tmp_path / "rehearsal"))
    assert total >= 2
    for number in range(1, total + 1):
        root = tmp_path / f"cut{number}"
        shutil.copytree(stick, root)
        where = cut_at(act, root, number, LEFT[left])
        if (root / "DICOMDIR").exists():
            assert set(leaves(root)) - {new.sop_instance_uid} == old, where
        else:
            assert where == "DICOMDIR"
            assert left in ("only the temporary name", "neither name")
        act(root)
        assert set(leaves(root)) == old | {new.sop_instance_uid}, where
        assert media.verify(root).sound, (where, str(media.verify(root)))
        media.repair(root)
        assert set(leaves(root)) == old | {new.sop_instance_uid}, where
        assert media.verify(root).sound, (where, str(media.verify(root)))


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("begin", [extended, written_over, ours])
def test_a_cut_while_an_instance_is_removed(
    begin: Callable[[Path, Make], set[str]], left: str, make: Make, stick: Path, tmp_path: Path
) -> None:
    begin(stick, make)
    out = make(PatientID="N1")
    media.add(stick, out, "FAT")
    rest = set(leaves(stick)) - {out.sop_instance_uid}
    fileset._open.clear()

    def act(root: Path) -> None:
        media.remove(root, out.sop_instance_uid)

    shutil.copytree(stick, tmp_path / "rehearsal")
    total = len(renames(act, tmp_path / "rehearsal"))
    assert total >= 2
    for number in range(1, total + 1):
        for mend in ("repair", "add"):
            root = tmp_path / f"cut{number}"
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(stick, root)
            where = cut_at(act, root, number, LEFT[left])
            if (root / "DICOMDIR").exists():
                assert set(leaves(root)) - {out.sop_instance_uid} == rest, where
            again = make(PatientID="N7")
            media.repair(root) if mend == "repair" else media.add(root, again, "FAT")
            assert set(leaves(root)) - {again.sop_instance_uid} == rest, where
            media.repair(root)
            assert set(leaves(root)) - {again.sop_instance_uid} == rest, where
            assert media.verify(root).sound, (where, str(media.verify(root)))


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("begin", [extended, written_over, ours])
def test_a_cut_while_the_medium_is_repaired(
    begin: Callable[[Path, Make], set[str]], left: str, make: Make, stick: Path, tmp_path: Path
) -> None:
    old = begin(stick, make)
    total = len(renames(media.repair, shutil.copytree(stick, tmp_path / "rehearsal")))
    for number in range(1, total + 1):
        root = tmp_path / f"cut{number}"
        shutil.copytree(stick, root)
        where = cut_at(media.repair, root, number, LEFT[left])
        assert not (root / "DICOMDIR").exists() or set(leaves(root)) == old, where
        media.repair(root)
        assert set(leaves(root)) == old, where
        assert media.verify(root).sound, (where, str(media.verify(root)))
