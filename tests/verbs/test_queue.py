"""``gateway queue``: what waits, since when, why, and when it goes on; of a running forward."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dcmtk import storescp
from spooling import DESTINATION, record, somebodys_exam
from waiting import eventually

from gateway import cli, configuration, local
from gateway.forward import Forward
from gateway.service import Service
from gateway.settings import Settings
from gateway.trial.ports import free_port


@pytest.fixture
def settings(config: Path, tmp_path: Path) -> Iterator[Settings]:
    """A running forward with a PACS that is away, and one that takes Implicit VR only and commits to nothing."""
    with storescp(tmp_path / "store", "+xi") as port:
        away = DESTINATION.format(name="away", port=free_port(), policy="stored").replace("= 0.1", "= 100")
        here = DESTINATION.format(name="here", port=port, policy="stored")
        config.write_text(config.read_text() + away.replace("retry_most = 1", "retry_most = 600") + here)
        made, service = configuration.load(config), Service("forward")
        running = Forward(made, service)
        try:
            running.start()
            yield made
        finally:
            running.close()
            service.close()


@pytest.fixture
def queue(config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    def run(*arguments: str) -> tuple[int, list[str]]:
        code = cli.main(["--config", str(config), "queue", *arguments])
        return code, capsys.readouterr().out.splitlines()

    return run


def deliveries(settings: Settings, exam: str) -> list[dict[str, Any]]:
    """When the one PACS has all and the other was tried."""

    def done() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = local.ask(settings.places.socket("forward"), {"do": "exam", "exam": exam})[
            "deliveries"
        ]
        here = [row["state"] == "STORED" for row in found if row["destination"] == "here"]
        return found if here and all(here) and all(row["words"] for row in found) else []

    found: list[dict[str, Any]] = eventually(done)
    return found


def test_the_list_says_how_old_it_is_when_it_is_tried_again_and_why(
    settings: Settings, queue: Callable[..., tuple[int, list[str]]]
) -> None:
    whose = somebodys_exam(settings)
    for _ in range(3):
        record(settings, whose.exam, 50)
    found = deliveries(settings, whose.exam)
    code, lines = queue("list")
    assert code == 0 and lines[0].split("  ")[0] == "WHAT"
    assert all(title in lines[0] for title in ("TO", "STATE", "AGE", "NEXT TRY", "WHY"))
    waiting = [line for line in lines if " away " in line]
    assert len(waiting) == 3 and all("nothing listens at that port" in line for line in waiting)
    assert all(re.search(r"QUEUED +\d+ s +(in \d+ (s|min)|when it answers) +HOSPITAL", line) for line in waiting)
    assert any("(1 attempts)" in line and "when it answers" not in line for line in waiting)
    uid = found[0]["instance"]
    assert queue("hold", uid, "--destination", "away", "--why", "asked by the ward")[0] == 0
    code, lines = queue("list")
    (held,) = [line for line in lines if uid in line and " away " in line]
    assert code == 4 and "after a person" in held and "HELD: held by a person: asked by the ward" in held


def test_one_is_shown_with_all_that_is_known_of_it(
    settings: Settings, queue: Callable[..., tuple[int, list[str]]]
) -> None:
    whose = somebodys_exam(settings)
    record(settings, whose.exam, 50)
    rows = {row["destination"]: row for row in deliveries(settings, whose.exam)}
    code, lines = queue("show", rows["here"]["instance"])
    assert code == 0
    (away,) = [line for line in lines if line.startswith("to away")]
    assert "QUEUED, queued " in away and "next try in " in away and "nothing listens" in away and "(1 attempts)" in away
    here = next(n for n, line in enumerate(lines) if line.startswith("to here"))
    assert "STORED" in lines[here] and "next try" not in lines[here]
    sent = f"sent as Implicit VR Little Endian, SHA-256 of that file {rows['here']['sent_sha256']}"
    assert lines[here + 1].strip() == sent
