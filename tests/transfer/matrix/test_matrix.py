"""However a PACS behaves, nothing is lost or doubled, the others go on, and it is told in words what the matter is.

The tables are beside this file: the name of each case is the behaviour, then what the box does, then what it says.
Each goes through the real courier, ledger, sender and listener, over sockets. When the peer behaves again, everything
is committed without a person, except what was rightly held.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from transfer.matrix import judge
from transfer.matrix.case import Case
from transfer.matrix.stage import Stage, behave
from transfer.matrix.tables import CASES, TABLES


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_pacs(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    caplog.set_level(logging.INFO, "gateway")
    stage = Stage(request.getfixturevalue("big" if case.big else "small"), tmp_path, case.more, case.listener)
    try:
        misbehave(stage, case)
        judge.nothing_lost(stage)
        judge.nothing_doubled(stage)
        judge.others_went_on(stage)
        judge.did(stage, case)
        judge.said(case, caplog.records)
        stage.release()  # a person has looked at what was rightly held, and nothing else
        behave(stage)
        judge.nothing_lost(stage)
        judge.nothing_doubled(stage)
        judge.as_the_spool(stage)
    finally:
        stage.close()


def test_no_behaviour_is_told_twice() -> None:
    assert len(CASES) == sum(map(len, TABLES.values())) >= 40


def misbehave(stage: Stage, case: Case) -> None:
    stage.mood(case)
    for number in range(case.rounds):
        stage.later(case.every if number else 0)
        stage.round()
