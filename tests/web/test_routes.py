"""What the page shows and what the local API does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from web.conftest import item

from gateway import exam, local
from gateway.clock import Clock
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.trial.ports import free_port
from gateway.verbs.overview import Overview, Patients
from gateway.web.page import page

FORWARD = {
    "well": True,
    "words": "all is well",
    "queue": {"queued": 3, "stored": 1, "oldest": "12 s"},
    "destinations": [{"name": "pacs", "waiting": 4, "last": "stored"}],
    "media": None,
    "clock": {"trusted": True},
}


def test_when_everything_runs_all_is_well(client: Any, running: Any) -> None:
    running("forward", FORWARD)
    running("capture-ecg1", {"recording": False})
    running("capture-ecg2", {"recording": True, "seconds": 4.2, "exam": "X1"})
    status = json.loads(client.get("/status.json")[2])
    assert (status["light"], status["words"], status["findings"]) == ("well", "All is well", [])
    text = client.get("/")[2].decode()
    for words in ("All is well", "recording, 4 s", "X1", "Queue", "Destinations", "pacs", "Clock"):
        assert words in text


def test_without_its_processes_the_page_says_so_and_what_to_do(client: Any) -> None:
    text = client.get("/")[2].decode()
    assert 'class="top failed"' in text
    for words in ("Not working", "forward", "systemctl restart forward", "systemctl enable --now capture@ecg2"):
        assert words in text


def test_a_device_with_a_problem_and_an_unwell_forward_ask_for_a_look(client: Any, running: Any) -> None:
    held = "2 recordings are held"
    running("forward", FORWARD | {"well": False, "words": held, "troubles": [held, held]})
    running("capture-ecg1", {"recording": False, "problem": "no data for 5 s", "fix": "check its cable"})
    running("capture-ecg2", {"recording": False})
    status = json.loads(client.get("/status.json")[2])
    assert (status["light"], status["words"]) == ("look", "2 recordings are held (and 1 more)")
    assert "Device ecg1: no data for 5 s<code>check its cable</code>" in client.get("/")[2].decode()


def test_a_file_that_cannot_be_taken_is_named_beside_the_words_and_not_in_them(client: Any, running: Any) -> None:
    """The line that the box says at boot goes into the journal; a file may be named after a patient."""
    running("forward", FORWARD)
    answer = {
        "recording": False,
        "problem": "the file of 9 bytes cannot be taken",
        "fix": "export it",
        "file": "'D.edf'",
    }
    running("capture-ecg1", answer)
    running("capture-ecg2", {"recording": False})
    assert json.loads(client.get("/status.json")[2])["words"] == "Device ecg1: the file of 9 bytes cannot be taken"
    assert "<code>it is &#x27;D.edf&#x27;; export it</code>" in client.get("/")[2].decode()


def test_a_recording_of_nobody_is_said_while_it_runs(client: Any, running: Any) -> None:
    running("forward", FORWARD)
    running("capture-ecg1", {"recording": True, "acquisition": "A1", "exam": None, "problem": None})
    running("capture-ecg2", {"recording": False})
    status = json.loads(client.get("/status.json")[2])
    assert status["words"].startswith("Device ecg1 is recording, and nobody has said of whom")
    assert status["findings"][0]["fix"] == "when it has ended: gateway exam attribute A1 --step SPS_ID"


@pytest.mark.usefixtures("scheduled")
def test_the_worklist_is_shown_in_its_own_script_and_escaped(client: Any) -> None:
    text = client.get("/")[2].decode()
    assert "Müller, Jürgen" in text
    assert "1961-12-24" in text
    assert text.count("<script") == 1, "ours"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    steps = json.loads(client.get("/worklist.json")[2])["steps"]
    assert [(s["source"], s["step_id"], s["patient_id"]) for s in steps] == [
        ("ris", "SPS1", "4711"),
        ("ris", "SPS2", "4712"),
    ]


def test_a_damaged_worklist_cache_is_said_and_does_not_break_the_page(client: Any, settings: Settings) -> None:
    settings.places.worklist.mkdir(parents=True)
    (settings.places.worklist / "ris.json").write_text("{")
    status, _headers, body = client.get("/")
    assert status == 200
    assert "gateway worklist --refresh" in body.decode()


@pytest.mark.usefixtures("scheduled")
def test_an_exam_is_started_for_the_scheduled_patient_and_stopped(client: Any, settings: Settings) -> None:
    status, answer = client.post("/exam/start", {"step": "SPS1", "devices": ["ecg1"]})
    assert (status, answer["state"], answer["study_uid"]) == (200, "open", "2.25.1234")
    found = exam.current(settings.places, "ecg1")
    assert found is not None
    assert found.attribution.how is Attributed.SCHEDULED
    status, answer = client.post("/exam/stop", {"exam": found.exam})
    assert (status, answer["state"]) == (200, "COMPLETED")
    assert exam.current(settings.places, "ecg1") is None


@pytest.mark.usefixtures("scheduled")
def test_a_step_that_the_ris_gave_to_another_patient_meanwhile_starts_nothing(client: Any, settings: Settings) -> None:
    given = {"step": "SPS1", "devices": ["ecg1"]}
    status, answer = client.post("/exam/start", given | {"patient_id": "4712"})
    assert (status, answer["exit_code"]) == (409, 4)
    assert exam.exams(settings.places) == []
    assert client.post("/exam/start", given | {"patient_id": "4711", "study_uid": "2.25.1234"})[0] == 200


def test_an_exam_that_a_restart_interrupted_is_said_with_what_to_do(client: Any, settings: Settings) -> None:
    opened = exam.open_exam(settings.places, Clock("always"), ("ecg1",), Attributed.NOBODY, {}).exam
    path = settings.places.exam(opened)
    path.write_text(path.read_text().replace(exam.boot_id(), "the boot before"))
    status = json.loads(client.get("/status.json")[2])
    assert [e["state"] for e in status["exams"]] == ["interrupted"]
    assert {"light": "look", "fix": f"gateway exam stop {opened}"}.items() <= next(
        f for f in status["findings"] if "interrupted by a restart" in f["words"]
    ).items()


def test_an_emergency_exam_needs_no_patient(client: Any, settings: Settings) -> None:
    assert client.post("/exam/start", {"emergency": True, "devices": ["ecg1"]})[0] == 200
    found = exam.current(settings.places, "ecg1")
    assert found is not None
    assert found.attribution.how is Attributed.EMERGENCY


def test_a_second_exam_on_a_busy_device_is_refused_in_words(client: Any) -> None:
    client.post("/exam/start", {"emergency": True, "devices": ["ecg1"]})
    status, answer = client.post("/exam/start", {"emergency": True, "devices": ["ecg1", "ecg2"]})
    assert (status, answer["exit_code"]) == (409, 4)
    assert "gateway exam stop" in answer["fix"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"devices": [], "emergency": True},
        {"devices": "ecg1", "emergency": True},
        {"devices": [1], "emergency": True},
        {"devices": ["ecg1", "ecg1"], "emergency": True},
        {"devices": ["toaster"], "emergency": True},
        {"devices": ["ecg1"]},
        {"devices": ["ecg1"], "step": 1},
        {"devices": ["ecg1"], "step": "SPS1", "patient_id": 4711},
        {"devices": ["ecg1"], "emergency": True, "patient_id": "4711"},
        {"devices": ["ecg1"], "step": "NOBODY"},
        {"devices": ["ecg1"], "step": "SPS1", "emergency": True},
        {"devices": ["ecg1"], "emergency": "yes"},
        {"devices": ["ecg1"], "emergency": True, "operator": "x" * 65},
        {"devices": ["ecg1"], "emergency": True, "patient": "Doe"},
    ],
)
@pytest.mark.usefixtures("scheduled")
def test_a_start_that_is_not_clear_starts_nothing(client: Any, settings: Settings, given: dict[str, Any]) -> None:
    status, answer = client.post("/exam/start", given)
    assert (status, answer["exit_code"]) == (400, 2)
    assert answer["error"]
    assert exam.exams(settings.places) == []


@pytest.mark.parametrize("given", [{}, {"exam": 1}, {"exam": "../x"}, {"exam": "none"}, {"exam": "x", "more": 1}])
def test_a_stop_of_no_exam_is_refused(client: Any, given: dict[str, Any]) -> None:
    assert client.post("/exam/stop", given)[0] == 400


def test_the_last_exams_are_listed_without_their_patients(client: Any, settings: Settings) -> None:
    opened = exam.open_exam(settings.places, Clock("always"), ("ecg1",), Attributed.NOBODY, {})
    (settings.places.exams / "000000000000AAAA").mkdir()
    (settings.places.exams / "000000000000AAAA" / "exam.json").write_text("{")
    status = json.loads(client.get("/status.json")[2])
    assert [e["exam"] for e in status["exams"]] == [opened.exam]
    assert any("is damaged" in f["words"] for f in status["findings"])


def test_live_asks_the_capture_and_says_when_there_is_none(client: Any, running: Any) -> None:
    assert client.get("/live/ecg1.json")[0] == 503
    running("capture-ecg1", {"rate": 125.0, "channels": []})
    assert json.loads(client.get("/live/ecg1.json")[2])["rate"] == 125.0
    assert client.get("/live/toaster.json")[0] == 400


def _console(config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "console", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"},
    )


def test_the_console_process_says_where_its_page_is_and_stops_in_order(config: Path) -> None:
    port = free_port()
    config.write_text(config.read_text() + f"\n[console]\nport = {port}\n")
    with _console(config) as child:
        assert child.stderr is not None
        assert f"the page is at http://127.0.0.1:{port}/" in child.stderr.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 0


def test_a_console_for_others_is_refused_with_exit_code_2(config: Path) -> None:
    config.write_text(config.read_text() + '\n[console]\nhost = "0.0.0.0"\n')
    with _console(config) as child:
        assert "there is no login yet" in child.communicate(timeout=30)[1]
    assert child.returncode == 2


def test_a_console_that_is_turned_off_ends_well(config: Path) -> None:
    config.write_text(config.read_text() + "\n[console]\nport = 0\n")
    with _console(config) as child:
        assert "turned off" in child.communicate(timeout=30)[1]
    assert child.returncode == 0


@pytest.mark.usefixtures("scheduled")
def test_a_scanned_text_gives_the_step_that_it_fits_and_else_the_reason(client: Any) -> None:
    status, answer = client.post("/worklist/scan", {"barcode": " 4711 "})
    assert (status, answer["step_id"], answer["patient_id"], answer["ris"]) == (200, "SPS1", "4711", "ris")
    status, answer = client.post("/worklist/scan", {"barcode": "99"})
    assert (status, answer["exit_code"]) == (409, 4)
    assert "no scheduled step fits" in answer["error"]


@pytest.mark.usefixtures("scheduled")
def test_steps_of_two_patients_start_nothing(client: Any, settings: Settings) -> None:
    status, answer = client.post("/exam/start", {"steps": ["SPS1", "SPS2"], "devices": ["ecg1"]})
    assert (status, answer["error"]) == (409, "these steps are not of one patient")
    assert exam.exams(settings.places) == []


@pytest.mark.usefixtures("scheduled")
def test_nothing_is_given_before_the_answer_names_whom_the_question_named(client: Any, settings: Settings) -> None:
    nobodys = exam.open_exam(settings.places, Clock("always"), ("ecg1",), Attributed.NOBODY, {})
    order = {"subject": nobodys.exam, "steps": ["SPS1"], "patient_id": "4711"}
    for answer in (None, True, {"to": "4711"}, {"to": "4712", "from": ""}, {"to": "4711", "from": "4712"}):
        status, asked = client.post("/recording/give", order | ({"confirmed": answer} if answer else {}))
        assert (status, asked["confirm"], asked["correct"]) == (200, {"to": "4711", "from": ""}, False)
        assert "Is it of Müller, Jürgen (ID 4711, born 1961-12-24)?" in asked["question"]
        assert exam.load(settings.places, nobodys.exam).attribution.how is Attributed.NOBODY
    assert client.post("/recording/give", order | {"confirmed": asked["confirm"]})[0] == 200
    assert exam.load(settings.places, nobodys.exam).attribution.how is Attributed.SCHEDULED


@pytest.mark.usefixtures("scheduled")
def test_a_correction_needs_a_reason_and_the_patients_who_were_seen(client: Any, settings: Settings) -> None:
    clock = Clock("always")
    wrong = exam.open_exam(settings.places, clock, ("ecg1",), Attributed.SCHEDULED, item("SPS2", "Doe^Jane", "4712"))
    exam.close_exam(settings.places, clock, wrong.exam)
    order = {"subject": wrong.exam, "steps": ["SPS1"]}
    status, asked = client.post("/recording/give", order)
    assert (status, asked["correct"]) == (200, True)
    assert "Doe, Jane (ID 4712" in asked["question"]
    assert "Müller, Jürgen (ID 4711" in asked["question"]
    status, answer = client.post("/recording/give", order | {"confirmed": asked["confirm"], "why": ""})
    assert (status, answer["error"]) == (400, "why is it corrected?")
    assert client.post("/recording/give", order | {"patient_id": "4799"})[0] == 409
    assert len(exam.exams(settings.places)) == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"subject": "X"},
        {"subject": "", "steps": ["SPS1"]},
        {"subject": 1, "steps": ["SPS1"]},
        {"subject": "X", "steps": [1]},
        {"subject": "X", "steps": ["SPS1"] * 17},
        {"subject": "X", "steps": ["NOBODY"]},
        {"subject": "../X", "steps": ["SPS1"]},
        {"subject": "X", "steps": ["SPS1"], "why": "x" * 65},
        {"subject": "X", "steps": ["SPS1"], "patient": "Doe"},
    ],
)
@pytest.mark.usefixtures("scheduled")
def test_an_attribution_that_is_not_clear_changes_nothing(client: Any, given: dict[str, Any]) -> None:
    assert client.post("/recording/give", given)[0] in (400, 409)


MEDIA = {
    "answers": False,
    "words": "stick sdc1 (VISITOR): asks",
    "QUEUED": 7,
    "present": [
        {
            "name": "sdb1",
            "label": "WARD",
            "serial": "4C53",
            "file_set_id": "GATEWAY_2",
            "file_set_uid": "2.25.7",
            "instances": 12,
            "free": 3000,
            "full": False,
            "may_be_taken_out": True,
            "words": "it may be taken out now",
        }
    ],
    "sticks": [
        {"name": "sdc1", "state": "asked", "label": "<b>VISITOR", "serial": "", "words": "may the box write to it?"},
        {"name": "sdd1", "state": "refused", "label": "", "serial": "", "words": "its file system is exfat"},
    ],
}


def test_the_page_shows_media_and_has_a_button_for_a_stick_that_is_asked_about(client: Any, running: Any) -> None:
    running("forward", FORWARD | {"media": MEDIA})
    text = client.get("/")[2].decode()
    for words in ("GATEWAY_2", "WARD", "it may be taken out now", "7 instances wait", "its file system is exfat"):
        assert words in text
    assert "&lt;b&gt;VISITOR" in text
    assert text.count('data-post="/media/allow"') == 1
    assert 'data-name="sdc1"' in text
    assert '<script src="/page.js" defer></script>' in text
    assert client.get("/page.js")[0] == 200


def test_without_a_question_there_is_no_button_for_a_stick(client: Any, running: Any) -> None:
    running("forward", FORWARD | {"media": MEDIA | {"sticks": []}})
    assert "data-post" not in client.get("/")[2].decode()


def test_a_page_with_nothing_to_press_has_no_script_and_the_browser_looks_for_news() -> None:
    text = page("box", Overview((), (), (), None, 0.0), Patients((), {}))
    assert "<script" not in text
    assert '<meta http-equiv="refresh" content="5">' in text
    assert "noscript" not in text


def test_a_stick_is_allowed_through_forward(client: Any, settings: Settings) -> None:
    asked: list[dict[str, Any]] = []

    def allow(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"words": "stick sdc1 is used from now on"}

    server = local.Server(settings.places.socket("forward"), {"media-allow": allow})
    try:
        assert client.post("/media/allow", {"name": "sdc1"}) == (200, {"words": "stick sdc1 is used from now on"})
    finally:
        server.close()
    assert asked == [{"do": "media-allow", "name": "sdc1", "who": "a person at the page", "why": ""}]


@pytest.mark.parametrize("given", [{}, {"name": 1}, {"name": "sdc1", "why": "x"}])
def test_an_answer_about_no_stick_is_refused(client: Any, given: dict[str, Any]) -> None:
    assert client.post("/media/allow", given)[0] == 400
