"""``GET /metrics``: the state of the box for Prometheus, in its text format (exposition format 0.0.4).

METRICS is the whole of it: name, kind, help, and where the numbers stand in an overview. No label names a patient: they
are device, destination and RIS names of the configuration, delivery states, and the short reasons of outcomes.
``systemd/prometheus`` holds alert rules for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway import __version__
from gateway.verbs.overview import Overview

Labels = dict[str, str]
Row = tuple[Labels, float]

KIND = "text/plain; version=0.0.4; charset=utf-8"
_LIGHTS = {"well": 0, "look": 1, "failed": 2}
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Metric:
    """``rows`` gives label sets and values; none where nothing is known."""

    name: str
    kind: str  # gauge or counter
    help: str
    rows: Callable[[Overview], Iterator[Row]]


def text(found: Overview) -> str:
    """All metrics of an overview."""
    return "".join(_lines(found))


def _lines(found: Overview) -> Iterator[str]:
    for metric in METRICS:
        yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        for labels, value in metric.rows(found):
            shown = ",".join(f'{name}="{_escaped(said)}"' for name, said in labels.items())
            yield f"{metric.name}{{{shown}}} {value:.17g}\n" if shown else f"{metric.name} {value:.17g}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _forward(found: Overview) -> dict[str, Any]:
    """What forward told; empty if it runs not, or answers not."""
    return found.forward if found.forward is not None and "queue" in found.forward else {}


def _queue(name: str) -> Callable[[Overview], Iterator[Row]]:
    def rows(found: Overview) -> Iterator[Row]:
        if (number := _forward(found).get("queue", {}).get(name)) is not None:
            yield {}, number

    return rows


def _oldest(found: Overview) -> Iterator[Row]:
    if (queue := _forward(found).get("queue")) is not None:
        yield {}, max(0.0, found.at - queue["oldest"]) if queue["oldest"] else 0.0


def _deliveries(found: Overview) -> Iterator[Row]:
    for one in _forward(found).get("destinations", ()):
        for state in ("QUEUED", "STORED", "REQUESTED", "COMMITTED", "held"):
            yield {"destination": one["name"], "state": state.lower()}, one.get(state, 0)


def _answers(found: Overview) -> Iterator[Row]:
    ris = ((one["name"], one.get(part)) for one in _forward(found).get("ris", ()) for part in ("worklist", "mpps"))
    peers = {one["name"]: [one] for one in _forward(found).get("destinations", ())}
    for name, part in ris:
        if part is not None:
            peers.setdefault(name, []).append(part)
    for name, parts in peers.items():
        if known := [bool(p["answers"]) for p in parts if p.get("answers") is not None]:
            yield {"peer": name}, all(known)


def _failures(found: Overview) -> Iterator[Row]:
    for one in _forward(found).get("destinations", ()):
        for reason, count in sorted(one.get("failures", {}).items()):
            yield {"destination": one["name"], "reason": reason}, count


def _worklist_age(found: Overview) -> Iterator[Row]:
    for one in _forward(found).get("ris", ()):
        if (fetched := one.get("worklist", {}).get("fetched")) is not None:
            yield {"ris": one["name"]}, max(0.0, found.at - fetched)


def _space(name: str) -> Callable[[Overview], Iterator[Row]]:
    def rows(found: Overview) -> Iterator[Row]:
        if (space := _forward(found).get("space")) is not None:
            yield {}, space[name] * (1 if name == "admits" else _MEBIBYTE)

    return rows


def _clock(found: Overview) -> Iterator[Row]:
    if (clock := _forward(found).get("clock")) is not None:
        yield {}, clock["trusted"]


def _device(name: str) -> Callable[[Overview], Iterator[Row]]:
    """A number of each capture that answers."""

    def rows(found: Overview) -> Iterator[Row]:
        for device in found.devices:
            if device.answer is not None and name in device.answer:
                yield {"device": device.name}, device.answer[name] or 0

    return rows


def _works(found: Overview) -> Iterator[Row]:
    for device in found.devices:
        yield {"device": device.name}, device.answer is not None and not device.problem


def _media(found: Overview) -> Iterator[Row]:
    if (media := _forward(found).get("media")) is not None:
        yield {}, media["answers"] is not False


def _media_waiting(found: Overview) -> Iterator[Row]:
    if (media := _forward(found).get("media")) is not None:
        yield {}, media.get("QUEUED", 0)


METRICS = (
    Metric("gateway_info", "gauge", "Always 1; the version.", lambda _: iter([({"version": __version__}, 1)])),
    Metric(
        "gateway_light",
        "gauge",
        "How the box is, as gateway status says: 0 well, 1 a person should look, 2 something does not work.",
        lambda found: iter([({}, _LIGHTS[found.light.value])]),
    ),
    Metric("gateway_forward_up", "gauge", "1 while forward answers.", lambda f: iter([({}, bool(_forward(f)))])),
    Metric("gateway_device_up", "gauge", "1 while the capture runs and its device has no problem.", _works),
    Metric("gateway_device_recording", "gauge", "1 while something is recorded.", _device("recording")),
    Metric("gateway_recording_samples", "gauge", "Samples per channel of the last recording.", _device("samples")),
    Metric("gateway_recording_missing", "gauge", "Of them, how many never arrived.", _device("missing")),
    Metric("gateway_recording_gaps", "gauge", "Gaps in the last recording.", _device("gaps")),
    Metric("gateway_recording_dropped_frames", "gauge", "Frames that are missing in it.", _device("dropped_frames")),
    Metric("gateway_device_garbage_bytes", "gauge", "Bytes on the line that were no protocol.", _device("garbage")),
    Metric("gateway_recordings_to_wrap", "gauge", "Recordings that are not yet an instance.", _queue("to_wrap")),
    Metric("gateway_recordings_held", "gauge", "Recordings that wait for a person.", _queue("held_recordings")),
    Metric("gateway_instances", "gauge", "Instances on this box.", _queue("instances")),
    Metric("gateway_instances_unfinished", "gauge", "Of them, those not every destination has.", _queue("unfinished")),
    Metric("gateway_oldest_unfinished_seconds", "gauge", "Age of the oldest of those; 0: none.", _oldest),
    Metric("gateway_instances_corrupt", "gauge", "Instances whose file is damaged.", _queue("corrupt")),
    Metric("gateway_instances_unrouted", "gauge", "Instances that no rule sends anywhere.", _queue("unrouted")),
    Metric("gateway_deliveries", "gauge", "Deliveries by destination and state.", _deliveries),
    Metric("gateway_deliveries_held", "gauge", "Deliveries that wait for a person.", _queue("held_deliveries")),
    Metric("gateway_steps_held", "gauge", "Procedure steps that a RIS refused.", _queue("held_steps")),
    Metric("gateway_peer_up", "gauge", "1 if the last call to a destination or RIS worked.", _answers),
    Metric("gateway_association_failures_total", "counter", "Calls that failed since the start, by reason.", _failures),
    Metric("gateway_worklist_age_seconds", "gauge", "Since the RIS last gave its worklist.", _worklist_age),
    Metric("gateway_disk_free_bytes", "gauge", "Free where recordings are kept.", _space("free")),
    Metric("gateway_disk_reserve_bytes", "gauge", "Of that, what stays free.", _space("reserve")),
    Metric("gateway_disk_admits", "gauge", "1 while a new recording may begin.", _space("admits")),
    Metric("gateway_clock_trusted", "gauge", "1 while the clock is synchronized.", _clock),
    Metric("gateway_media_up", "gauge", "0 while copies to media fail.", _media),
    Metric("gateway_media_waiting", "gauge", "Copies that wait for a medium.", _media_waiting),
)
