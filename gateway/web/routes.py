"""What the console answers: the page, and the local API for those who start and stop exams.

``GET /``, ``/page.css``, ``/page.js``, ``/status.json`` and ``/metrics`` (no patients in them), ``/worklist.json``,
``/live/DEVICE.json``;
``POST /exam/start`` with ``{"step": ID, "devices": [NAME, …]}`` (or ``"emergency": true`` instead of the step) and
``POST /exam/stop`` with ``{"exam": ID}`` call the same functions as ``gateway exam``. Whoever chose from a list that
may be old sends ``"patient_id"`` and ``"study_uid"`` with the step: if the worklist says otherwise, nothing starts.
``POST /device/trigger`` with ``{"name": DEVICE, "takes": "still" or "clip"}`` is ``gateway trigger``.
``POST /media/allow`` and ``/media/eject`` with ``{"name": NAME}`` are ``gateway media allow`` and ``eject``.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from importlib import resources
from typing import Any

from gateway import local
from gateway.acquire.shutter import CLIP, STILL
from gateway.errors import Misuse
from gateway.model import Exam
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.verbs.exams import start_exam, stop_exam
from gateway.verbs.media import decide
from gateway.verbs.overview import overview, worklist
from gateway.web import metrics
from gateway.web.page import page
from gateway.web.server import Reply, Route, as_json

_SEEN = ("patient_id", "study_uid")
_START = {"step", "devices", "emergency", "operator", *_SEEN}
_STOP = {"exam", "discontinued"}


def routes(settings: Settings) -> Mapping[str, Route]:
    """The table of the console's routes for one configured box."""
    style, script = (resources.files("gateway.web").joinpath(name).read_bytes() for name in ("page.css", "page.js"))
    station = settings.box.station_name or f"{settings.box.ae_title} on {socket.gethostname()}"

    def shown(_rest: str) -> Reply:
        return Reply(page(station, overview(settings), worklist(settings)).encode(), "text/html; charset=utf-8")

    return {
        "GET /": shown,
        "GET /page.css": lambda _rest: Reply(style, "text/css; charset=utf-8"),
        "GET /page.js": lambda _rest: Reply(script, "text/javascript; charset=utf-8"),
        "GET /metrics": lambda _rest: Reply(metrics.text(overview(settings)).encode(), metrics.KIND),
        "GET /status.json": lambda _rest: as_json(overview(settings).as_json()),
        "GET /worklist.json": lambda _rest: as_json(_worklist(settings)),
        "GET /live/*": lambda rest: _live(settings, rest),
        "POST /exam/start": lambda given: _start(settings, given),
        "POST /exam/stop": lambda given: _stop(settings, given),
        "POST /device/trigger": lambda given: _trigger(settings, given),
        "POST /media/allow": lambda given: _media(settings, "allow", given),
        "POST /media/eject": lambda given: _media(settings, "eject", given),
    }


def _worklist(settings: Settings) -> dict[str, Any]:
    found = worklist(settings)
    steps = [{"source": source, **_step(step)} for source, step in found.steps]
    return {"fetched": found.fetched, "problem": found.problem, "steps": steps}


def _step(step: ScheduledStep) -> dict[str, Any]:
    shown = ("step_id", "study_uid", "start", "modality", "procedure", "accession_number")
    patient = ("patient_name", "patient_id", "birth_date", "sex")
    return {name: getattr(step, name) for name in (*shown, *patient)} | {"missing": list(step.missing)}


def _live(settings: Settings, rest: str) -> Reply:
    device = settings.device(rest.removesuffix(".json")).name
    return as_json(local.ask(settings.places.socket(f"capture-{device}"), {"do": "live"}, timeout=2.0))


def _start(settings: Settings, given: dict[str, Any]) -> Reply:
    _only(given, _START)
    devices = given.get("devices")
    if not isinstance(devices, list) or not devices or not all(isinstance(d, str) for d in devices):
        raise Misuse("'devices' must be a list of device names")
    if len(set(devices)) < len(devices):
        raise Misuse("'devices' names a device twice")
    step, emergency = given.get("step"), given.get("emergency", False)
    if not isinstance(emergency, bool) or not isinstance(step, str | None) or (step is None) is not emergency:
        raise Misuse("whose exam is it?", "give either 'step' (a text) or 'emergency': true")
    operator = given.get("operator", "")
    if not isinstance(operator, str) or len(operator) > 64:
        raise Misuse("'operator' must be a text of at most 64 characters")
    seen = {name: given[name] for name in _SEEN if name in given}
    if not all(isinstance(v, str) for v in seen.values()) or (seen and step is None):
        raise Misuse("'patient_id' and 'study_uid' must be texts and belong to a 'step'")
    return _exam(start_exam(settings, tuple(devices), step, None, emergency, operator, seen))


def _stop(settings: Settings, given: dict[str, Any]) -> Reply:
    _only(given, _STOP)
    exam, discontinued = given.get("exam"), given.get("discontinued", False)
    if not isinstance(exam, str) or not isinstance(discontinued, bool):
        raise Misuse("'exam' must be the id of an exam, 'discontinued' true or false")
    return _exam(stop_exam(settings, exam, "DISCONTINUED" if discontinued else "COMPLETED"))


def _trigger(settings: Settings, given: dict[str, Any]) -> Reply:
    _only(given, {"name", "takes"})
    name, takes = given.get("name"), given.get("takes")
    if not isinstance(name, str) or takes not in (None, STILL, CLIP):
        raise Misuse("'name' must be the name of a device, 'takes' \"still\" or \"clip\" if it is there")
    device = settings.device(name).name
    answer = local.ask(settings.places.socket(f"capture-{device}"), {"do": "trigger", "takes": takes})
    done = "stopped" if answer["stopped"] else "a still is kept" if answer.get("taken") else "recording"
    whose = "" if answer["stopped"] or answer["exam"] else ", of nobody: it is held until a person says whose it is"
    return as_json({"words": done + whose})


def _media(settings: Settings, what: str, given: dict[str, Any]) -> Reply:
    _only(given, {"name"})
    name = given.get("name")
    if not isinstance(name, str):
        raise Misuse("'name' must be the name of a stick", "gateway media status lists them")
    return as_json(decide(settings, what, name, "a person at the page"))


def _only(given: dict[str, Any], known: set[str]) -> None:
    if unknown := set(given) - known:
        raise Misuse(f"unknown key {sorted(unknown)[0]!r}", "known: " + ", ".join(sorted(known)))


def _exam(found: Exam) -> Reply:
    state = found.closed.status if found.closed else "open"
    return as_json({"exam": found.exam, "state": state, "devices": list(found.devices), "study_uid": found.study_uid})
