"""The button for a stick, clicked in a real browser: what a person does who is asked about one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from browser import browser
from waiting import eventually

from gateway import local
from gateway.settings import Settings
from gateway.web.server import Server

ASKED = {"name": "sdc1", "state": "asked", "label": "VISITOR", "serial": "", "words": "may the box write to it?"}
FORWARD = {"well": False, "words": "a stick asks", "troubles": [], "queue": {}, "destinations": [], "ris": []}


def test_a_click_on_use_this_stick_allows_it_and_the_page_says_what_became_of_it(
    console: Server, settings: Settings, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []

    def status(_request: dict[str, Any]) -> dict[str, Any]:
        media = {"answers": False, "words": "", "present": [], "QUEUED": 1, "sticks": [] if asked else [ASKED]}
        return FORWARD | {"media": media}

    def allow(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"words": "stick sdc1 is used from now on"}

    server = local.Server(settings.places.socket("forward"), {"status": status, "media-allow": allow})
    try:
        with browser(tmp_path) as one:
            one.open(f"http://127.0.0.1:{console.port}/")
            assert one.ask("document.querySelector('button[data-post]').textContent") == "Use this stick"
            one.ask("document.querySelector('button[data-post]').click()")
            eventually(
                lambda: one.ask("document.body.textContent.includes('used from now on')") is True,
                lambda: one.ask("document.body.textContent"),
            )
            assert one.complaints() == []
            assert one.picture(tmp_path / "page.png").shape[2] == 3
    finally:
        server.close()
    assert [request["name"] for request in asked] == ["sdc1"]
