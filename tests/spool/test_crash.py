"""Stopped after each single durable step and started again, the box loses nothing and says the same UIDs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from spooling import Box, Pacs, record, somebodys_exam

from gateway import fsops, records
from gateway.settings import Settings


class PowerCut(BaseException):
    """Nothing in the product catches it."""


class After:
    """Stops the world after ``steps`` durable steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, what: str, where: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise PowerCut(f"{what} {where}")


def is_safe(settings: Settings, pacs: Pacs, uid: str, acquisition: str, samples: int) -> bool:
    """Whether every sample is still in the records, in an instance on the disk, or committed by the PACS."""
    path = settings.places.acquisition(acquisition) / "records"
    if path.exists():
        found = sum(len(e.data) for e in records.events(path))  # type: ignore[union-attr]
        if found == samples:
            return True
    instance = settings.places.instances / acquisition / f"{uid}.dcm"
    return instance.exists() or uid in pacs.committed


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "cut off"])
def test_whenever_it_is_stopped_nothing_is_lost_and_the_same_instance_arrives(
    settings: Settings, tmp_path: Path, ended: bool
) -> None:
    acquisition = record(settings, somebodys_exam(settings).exam, 50, end=ended)
    data, before = settings.box.data, tmp_path / "before"
    shutil.copytree(data, before)
    pacs = Pacs()
    Box(settings, pacs).run()
    (uid,) = pacs.committed
    truth = pacs.held[uid]
    assert not settings.places.acquisition(acquisition).exists()
    cuts = 0
    while True:
        shutil.rmtree(data)
        shutil.copytree(before, data)
        pacs, cut = Pacs(), After(cuts + 1)
        fsops.after_step = cut
        try:
            Box(settings, pacs).run()
        except PowerCut:
            cuts += 1
        else:
            break
        finally:
            fsops.after_step = None
        assert is_safe(settings, pacs, uid, acquisition, 50), f"lost after step {cuts}"
        if not settings.places.acquisition(acquisition).exists():
            assert uid in pacs.committed, f"deleted before it was committed, after step {cuts}"
        again = Box(settings, pacs)
        again.run()
        assert pacs.committed == {uid}, f"after step {cuts}"
        assert pacs.held[uid] == truth, f"after step {cuts}"
        assert not list(settings.places.instances.iterdir()), f"something is left over after step {cuts}"
        assert not settings.places.acquisition(acquisition).exists()
    assert cuts > 20  # the scenario really has that many durable steps


def test_the_ledger_may_be_deleted_and_everything_still_spooled_is_sent_again(settings: Settings, pacs: Pacs) -> None:
    exam = somebodys_exam(settings)
    for _ in range(3):
        record(settings, exam.exam, 50)
    first = Box(settings, pacs, retention=7.0)
    first.run()
    sent = dict(pacs.held)
    assert len(sent) == 3
    for path in settings.box.data.glob("ledger.sqlite*"):
        path.unlink()
    second = Box(settings, pacs, retention=7.0)
    second.take_in()
    assert set(second.states().values()) == {"QUEUED"}
    second.deliver()
    assert sorted(pacs.stores) == sorted([*sent, *sent])
    assert pacs.held == sent
    assert set(second.states().values()) == {"COMMITTED"}
    rows = second.ledger.query("SELECT exam, device, sha256 FROM instances")
    assert all(r["exam"] == exam.exam and r["device"] == "ecg1" and r["sha256"] for r in rows)
