"""What the console answers: the page, and the local API for those who start and stop exams.

``GET /``, ``/page.css``, ``/page.js``, ``/status.json`` and ``/metrics`` (no patients in them), ``/worklist.json``,
``/live/DEVICE.json``;
``POST /exam/start`` with ``{"step": ID, "devices": [NAME, …]}`` (``"steps": [ID, …]`` for the group case, or
``"emergency": true``) and ``POST /exam/stop`` with ``{"exam": ID}`` call the same functions as ``gateway exam``.
Whoever chose from a list that may be old sends ``"patient_id"`` and ``"study_uid"`` with the step: if the worklist says
otherwise, nothing starts. ``POST /worklist/scan`` with ``{"barcode": TEXT}`` finds the one step that it fits.
``POST /recording/give`` with ``{"subject": ID, "steps": [ID, …]}`` asks whether a recording or an exam is to be given
to that patient, and gives it when the answer comes back as ``"confirmed"`` (with ``"why"`` if it is a correction).
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
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.verbs.media import decide
from gateway.verbs.overview import held_recordings, overview, worklist
from gateway.web import metrics, orders
from gateway.web.page import page
from gateway.web.server import Reply, Route, as_json


def routes(settings: Settings) -> Mapping[str, Route]:
    """The table of the console's routes for one configured box."""
    style, script = (resources.files("gateway.web").joinpath(name).read_bytes() for name in ("page.css", "page.js"))
    station = settings.box.station_name or f"{settings.box.ae_title} on {socket.gethostname()}"

    def whole(_rest: str) -> Reply:
        shown = page(station, overview(settings), worklist(settings), held_recordings(settings))
        return Reply(shown.encode(), "text/html; charset=utf-8")

    return {
        "GET /": whole,
        "GET /page.css": lambda _rest: Reply(style, "text/css; charset=utf-8"),
        "GET /page.js": lambda _rest: Reply(script, "text/javascript; charset=utf-8"),
        "GET /metrics": lambda _rest: Reply(metrics.text(overview(settings)).encode(), metrics.KIND),
        "GET /status.json": lambda _rest: as_json(overview(settings).as_json()),
        "GET /worklist.json": lambda _rest: as_json(_worklist(settings)),
        "GET /live/*": lambda rest: _live(settings, rest),
        "POST /exam/start": lambda given: as_json(orders.start(settings, given)),
        "POST /exam/stop": lambda given: as_json(orders.stop(settings, given)),
        "POST /worklist/scan": lambda given: as_json(orders.scan(settings, given)),
        "POST /recording/give": lambda given: as_json(orders.give(settings, given)),
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


def _trigger(settings: Settings, given: dict[str, Any]) -> Reply:
    orders.only(given, {"name", "takes"})
    name, takes = given.get("name"), given.get("takes")
    if not isinstance(name, str) or takes not in (None, STILL, CLIP):
        raise Misuse("'name' must be the name of a device, 'takes' \"still\" or \"clip\" if it is there")
    device = settings.device(name).name
    answer = local.ask(settings.places.socket(f"capture-{device}"), {"do": "trigger", "takes": takes})
    done = "stopped" if answer["stopped"] else "a still is kept" if answer.get("taken") else "recording"
    whose = "" if answer["stopped"] or answer["exam"] else ", of nobody: it is held until a person says whose it is"
    return as_json({"words": done + whose})


def _media(settings: Settings, what: str, given: dict[str, Any]) -> Reply:
    orders.only(given, {"name"})
    name = given.get("name")
    if not isinstance(name, str):
        raise Misuse("'name' must be the name of a stick", "gateway media status lists them")
    return as_json(decide(settings, what, name, orders.WHO))
