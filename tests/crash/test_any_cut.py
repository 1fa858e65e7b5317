"""The power may fail at any moment, and the disk may then hold whatever POSIX allows: every promise is kept.

GATEWAY_SLOW=1 judges every image; else a sample of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from crash.boxes import DAYS
from crash.cuts import distinct as distinct_images
from crash.cuts import judge, lay, on, some, trace
from crash.disk import Disk, Image, Looking
from crash.recovery import recover
from crash.story import after_a_reboot
from crash.told import Told
from crash.tracing import LEDGER, Point, Trace

from gateway import fsops
from gateway.settings import Settings

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize(
    ("day", "most"), {"whole": 120, "clock_set_later": 60, "two_instances": 40, "imported": 60}.items()
)
def test_whatever_a_power_cut_leaves_of_a_day_every_promise_is_kept(day: str, most: int, tmp_path: Path) -> None:
    settings = DAYS[day](tmp_path)
    found = trace(settings, day)
    every = list(distinct_images(found))
    judged = some(every, most)
    for number, (_, point, image) in enumerate(judged):
        try:
            judge(settings, point, image, tmp_path / "cut")
        except Exception as error:
            pytest.fail(f"image {number}, {point.moment} {point.what} of {point.where} ({point.site}): {error}")
    print(f"{day}: {len(found.points)} cuts, {len(every)} images, {len(judged)} judged")
    assert len(found.points) > 100
    assert len(every) >= 80


Chosen = Callable[[Point[Told], Image], bool]
STARTS: dict[str, Chosen] = {
    "a torn recording": lambda point, image: any(
        path.endswith("/records") and data is not None and len(data) > 10_000 and data.endswith(bytes(100))
        for path, data in image.items()
    ),
    "half a wrapping": lambda point, image: any(".wrapping/" in path and path.endswith(".dcm") for path in image),
    "half a discard": lambda point, image: any(path.endswith(".discarded/records") for path in image),
    "half a purge": lambda point, image: point.site.startswith("spool.space.finish_purge") and point.what == "unlink",
}


@pytest.mark.parametrize("start", STARTS)
def test_recovery_itself_may_be_cut_off_anywhere(start: str, settings: Settings, tmp_path: Path) -> None:
    found = trace(settings)
    point, image = next((p, i) for _, p, i in distinct_images(found) if STARTS[start](p, i))
    root = tmp_path / "first"
    lay(image, point.ledger, root)
    told = point.told.copied()
    recovery = Trace(root, told.copied)
    with after_a_reboot() as when:
        recovery.run(lambda: recover(on(settings, root), told, when))
        every = list(distinct_images(recovery))
        for _, cut, left in some(every, 40):
            judge(settings, cut, left, tmp_path / "cut")
    print(f"{start}: {len(recovery.points)} cuts, {len(every)} images")
    assert len(every) > 20


def disk_after(tmp_path: Path, *acts: Callable[[], None]) -> Disk:
    """The model after each act was seen."""
    looking = Looking(tmp_path, LEDGER)
    disk = Disk.durable(looking.look())
    for act in acts:
        act()
        disk.become(looking.look())
    return disk


def test_the_model_lets_a_name_survive_without_its_data_and_data_without_its_name(tmp_path: Path) -> None:
    path, new = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"old")
    disk = disk_after(tmp_path, lambda: new.write_bytes(b"new content") and None, lambda: new.replace(path) and None)
    found = [image.get("a") for image in disk.images()]
    assert {b"old", b"new content", b"", b"new c", bytes(11)} <= set(found)
    assert {"a": b"old", "b": b"new content"} in list(disk.images())


def test_the_model_believes_an_fsync_of_the_file_for_its_data_and_of_the_folder_for_its_names(tmp_path: Path) -> None:
    path = tmp_path / "a"
    disk = disk_after(tmp_path, lambda: path.write_bytes(b"data") and None)
    node = disk.now.at("a")
    assert node is not None
    disk.fsync(node)
    assert [image for image in disk.images() if image.get("a") not in (b"data", None)] == []
    assert {} in list(disk.images())
    disk.fsync(disk.now.root)
    assert all(image == {"a": b"data"} for image in disk.images())


def test_the_model_may_lose_one_block_in_the_middle_of_what_is_not_synced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"o" * 4096)
    disk = disk_after(tmp_path, lambda: path.write_bytes(b"o" * 4096 + b"n" * 12288) and None)
    assert b"o" * 4096 + b"n" * 4096 + bytes(4096) + b"n" * 4096 in [image["a"] for image in disk.images()]
    assert all((image["a"] or b"").startswith(b"o" * 4096) for image in disk.images())


def test_what_is_removed_and_not_synced_may_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_bytes(name.encode())
    looking = Looking(tmp_path, LEDGER)
    disk = Disk.durable(looking.look())
    for gone in (folder / "a", folder / "b"):
        gone.unlink()
        disk.become(looking.look())
    folder.rmdir()
    disk.become(looking.look())
    found = [frozenset(image) for image in disk.images()]
    assert {frozenset(), frozenset({"f"}), frozenset({"f", "f/a"}), frozenset({"f", "f/a", "f/b"})} <= set(found)
    disk.fsync(disk.now.root)
    assert list(disk.images()) == [{}] * len(list(disk.images()))


def test_the_seam_costs_nothing_when_nobody_watches(tmp_path: Path) -> None:
    assert fsops.watch is None
    fsops.write_file(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"
