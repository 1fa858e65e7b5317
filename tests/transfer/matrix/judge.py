"""Whether the box did what the table says, and what it must do in any case."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

from spooling import ITEM
from transfer.matrix.case import Case, Then
from transfer.matrix.stage import INSTANCES, Stage, sha256

PATIENT = str(ITEM["00100010"]["Value"][0]["Alphabetic"])


def nothing_lost(stage: Stage) -> None:
    """Every instance is on its way, or held with words; its file is what it was."""
    for uid, path in stage.files.items():
        assert sha256(path) == stage.whole[uid]
    rows = stage.box.ledger.query("SELECT state, corrupt FROM instances")
    assert [(r["state"], r["corrupt"]) for r in rows] == [("SPOOLED", None)] * len(stage.files)
    for destination in ("pacs", "other"):
        for delivery in stage.deliveries(destination).values():
            assert delivery["state"] in ("QUEUED", "STORED", "REQUESTED", "COMMITTED")
            assert delivery["held"] is None or delivery["held"]


def nothing_doubled(stage: Stage) -> None:
    """Whatever came more than once was the same; nothing came that is not in the spool."""
    for pacs in (stage.pacs, stage.other):
        versions = defaultdict(set)
        for uid, digest in pacs.taken:
            versions[uid].add(digest)
        assert all(versions[uid] == {stage.data_sets[uid]} for uid in versions)
    uids = [uid for _, asked in stage.pacs.asked for uid in asked]
    transactions = [transaction for transaction, _ in stage.pacs.asked]
    assert len(set(transactions)) == len(transactions)  # PS3.4 J.3.2: never used again
    assert set(uids) <= set(stage.files)


def as_the_spool(stage: Stage) -> None:
    """Both peers have what the spool has, byte for byte, and say so."""
    for pacs, destination in ((stage.pacs, "pacs"), (stage.other, "other")):
        assert pacs.kept == stage.data_sets
        assert stage.states(destination) == {"COMMITTED"}


def others_went_on(stage: Stage) -> None:
    """The other destination has everything, as if nothing was."""
    assert stage.states("other") == {"COMMITTED"}
    assert len(stage.other.taken) == len(stage.files)
    assert len(stage.other.asked) == 1


def did(stage: Stage, case: Case) -> None:
    """What the table says."""
    states = {uid: str(d["state"]) for uid, d in stage.deliveries().items()}
    mine, others = states[stage.victim], {s for uid, s in states.items() if uid != stage.victim}
    held = set(stage.held())
    match case.then:
        case Then.LEFT_ALONE:
            assert (mine, others, held) == ("QUEUED", {"QUEUED"}, set())
            assert stage.courier.answers is False
            assert stage.courier.pause.left() > 0
            assert case.says in stage.courier.words
        case Then.GOES_LAST:
            assert (mine, others, held) == ("QUEUED", {"COMMITTED"}, set())
        case Then.HELD:
            assert (mine, others, held) == ("QUEUED", {"COMMITTED"}, {stage.victim})
        case Then.ALL_HELD:
            assert (mine, others, held) == ("QUEUED", {"QUEUED"}, set(states))
        case Then.COMMITTED:
            assert (mine, others, held) == ("COMMITTED", {"COMMITTED"}, set())
        case Then.ASKED_AGAIN:
            assert mine in ("STORED", "REQUESTED")
            assert not held
            assert len(stage.pacs.taken) == len(stage.files)
            asked = [t for t, uids in stage.pacs.asked if stage.victim in uids]
            assert len(asked) > 1 or not stage.pacs.asked
        case Then.WAITS_FOR_REPORT:
            assert (mine, others, held) == ("REQUESTED", {"REQUESTED"}, set())
        case Then.HELD_STORED:
            assert (mine, others, held) == ("STORED", {"COMMITTED"}, {stage.victim})
        case Then.ALL_HELD_STORED:
            assert (mine, others, held) == ("STORED", {"STORED"}, set(states))
        case Then.SENT_AGAIN:
            assert not held
            assert stage.pacs.offered.count(stage.victim) > 1
    if case.says and case.told:
        words = [str(d["held"] or d["words"]) for d in stage.deliveries().values()]
        assert any(case.says in w for w in words), words


def said(case: Case, lines: Sequence[logging.LogRecord]) -> None:
    """One line in words where something new happened: no traceback, no patient, and not the same again and again."""
    messages = [r.getMessage() for r in lines]
    assert not [m for r, m in zip(lines, messages, strict=True) if r.exc_info or "\n" in m or PATIENT in m]
    told = [m for r, m in zip(lines, messages, strict=True) if r.levelno >= logging.WARNING]
    if case.says:
        assert [m for m in messages if case.says in m], messages
    else:
        assert not told
    assert len(told) <= case.rounds * (1 if case.then is Then.LEFT_ALONE else INSTANCES + 1), told
