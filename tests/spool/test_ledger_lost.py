"""The ledger may be lost at any time: files are the truth about data and decisions, it only knows progress."""

from __future__ import annotations

from spooling import Box, Pacs, record, somebodys_exam

from gateway.settings import Settings


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
