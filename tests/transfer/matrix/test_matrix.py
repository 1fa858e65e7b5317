"""However a PACS behaves, nothing is lost or doubled, the others go on, and it is told in words what the matter is.

The tables are beside this file: the name of each case is the behaviour, then what the box does, then what it says.
Each goes through the real courier, ledger, sender and listener, over sockets. When the peer behaves again, everything
is committed without a person, except what was rightly held.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from transfer.matrix import answers, associations, commitments, judge, network
from transfer.matrix.case import Case
from transfer.matrix.stage import BIG, Stage, behave, fill

from gateway.transfer import lingering, requestor

CASES = {**network.CASES, **associations.CASES, **answers.CASES, **commitments.CASES}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that will not come on the same association is waited for, but not for long."""
    monkeypatch.setattr(lingering, "MOMENT", 0.2)
    monkeypatch.setattr(requestor, "LOOK", 0.005)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("small") / "box")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("big") / "box", BIG)


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


def misbehave(stage: Stage, case: Case) -> None:
    stage.mood(case)
    for number in range(case.rounds):
        stage.later(case.every if number else 0)
        stage.round()
