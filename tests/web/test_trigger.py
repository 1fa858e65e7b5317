"""The page's buttons of an image source: what a foot switch does, for who has none."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import local
from gateway.settings import Settings


def test_an_image_source_has_its_buttons_and_another_device_none(client: Any, running: Any) -> None:
    running("capture-ecg1", {"recording": False, "takes": "still"})
    running("capture-ecg2", {"recording": False, "takes": None})
    text = client.get("/")[2].decode()
    assert text.count('data-post="/device/trigger"') == 2
    assert 'data-name="ecg1" data-takes="still">Take a still</button>' in text
    assert 'data-takes="clip">Start a clip</button>' in text


def test_while_it_records_it_can_be_stopped(client: Any, running: Any) -> None:
    running("capture-ecg1", {"recording": True, "takes": "still"})
    text = client.get("/")[2].decode()
    assert text.count('data-post="/device/trigger"') == 1
    assert ">Stop</button>" in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"stopped": False, "exam": "X1", "taken": True, "acquisition": "A"}, "a still is kept"),
        ({"stopped": False, "exam": "X1", "acquisition": "A"}, "recording"),
        ({"stopped": True, "acquisition": "A"}, "stopped"),
        ({"stopped": False, "exam": None, "acquisition": "A"}, "recording, of nobody: it is held until"),
    ],
)
def test_the_capture_process_is_asked_and_what_it_did_is_said(
    client: Any, settings: Settings, answer: dict[str, Any], words: str
) -> None:
    asked: list[dict[str, Any]] = []

    def trigger(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return answer

    server = local.Server(settings.places.socket("capture-ecg1"), {"trigger": trigger})
    try:
        status, said = client.post("/device/trigger", {"name": "ecg1", "takes": "still"})
    finally:
        server.close()
    assert status == 200
    assert said["words"].startswith(words)
    assert asked == [{"do": "trigger", "takes": "still"}]


@pytest.mark.parametrize("given", [{}, {"name": 1}, {"name": "ecg1", "takes": "all"}, {"name": "ecg1", "exam": "X"}])
def test_what_is_not_clear_triggers_nothing(client: Any, given: dict[str, Any]) -> None:
    assert client.post("/device/trigger", given)[0] == 400
