"""What Prometheus is told: every metric of a real box, in its format, without patients; the alert rules fit it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import need
from spooling import DESTINATION, ITEM, record, somebodys_exam

from gateway import configuration
from gateway.forward import Forward
from gateway.service import Service
from gateway.settings import Settings
from gateway.verbs.overview import Overview, overview
from gateway.web import metrics

RULES = Path(__file__).resolve().parents[2] / "systemd/prometheus/gateway.rules.yml"
LINE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)+)\})? (\S+)')
slow = pytest.mark.skipif(os.environ.get("GATEWAY_SLOW") != "1", reason="slow: GATEWAY_SLOW=1 (promtool)")


@pytest.fixture
def settings(config: Path) -> Iterator[Settings]:
    """A box whose PACS has a port that nobody listens on."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        text = DESTINATION.format(name="pacs", port=closed.getsockname()[1], policy="commitment")
        config.write_text(f"{config.read_text()}{text}[media]\nfolder = '{config.parent}/stick'\n")
        yield configuration.load(config)


@pytest.fixture
def told(settings: Settings) -> Iterator[str]:
    """The metrics once a recording has waited for a PACS that refuses every call."""
    record(settings, somebodys_exam(settings).exam, 1000)
    service = Service("forward")
    forward = Forward(settings, service)
    try:
        forward.start()
        until = time.monotonic() + 60
        while 'gateway_peer_up{peer="pacs"} 0' not in (text := metrics.text(overview(settings))):
            assert time.monotonic() < until, text
            time.sleep(0.05)
        yield text
    finally:
        forward.close()
        service.close()


def read(text: str) -> dict[str, dict[str, float]]:
    """Metric -> labels as written -> value."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match is not None, line
            found.setdefault(match[1], {})[match[2] or ""] = float(match[3])
    return found


def test_what_a_real_box_says(told: str, settings: Settings) -> None:
    found = read(told)
    assert found["gateway_forward_up"] == {"": 1}
    assert found["gateway_instances_unfinished"] == {"": 1}
    assert found["gateway_oldest_unfinished_seconds"][""] >= 0
    assert found["gateway_deliveries"]['destination="pacs",state="queued"'] == 1
    assert found["gateway_peer_up"] == {'peer="pacs"': 0}
    assert found["gateway_association_failures_total"]['destination="pacs",reason="closed"'] >= 1
    assert 0 < found["gateway_disk_free_bytes"][""] <= shutil.disk_usage(settings.box.data).total
    assert found["gateway_disk_admits"] == {"": 1}
    assert found["gateway_clock_trusted"][""] in {0, 1}
    assert set(found["gateway_device_up"].values()) == {0}, "no capture runs"
    assert found["gateway_media_waiting"][""] in {0, 1}


def test_every_metric_is_told_with_its_help_and_kind(told: str) -> None:
    for metric in metrics.METRICS:
        assert f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n" in told


def test_no_patient_is_in_it(told: str) -> None:
    name, patient = ITEM["00100010"]["Value"][0]["Alphabetic"], ITEM["00100020"]["Value"][0]
    assert name.split("^")[0] not in told
    assert f'"{patient}"' not in told


def test_without_its_processes_the_rest_is_told(settings: Settings) -> None:
    found = read(metrics.text(overview(settings)))
    assert found["gateway_forward_up"] == {"": 0}
    assert found["gateway_light"] == {"": 2}
    assert "gateway_disk_free_bytes" not in found


def test_a_name_cannot_break_a_line() -> None:
    forward = {"queue": {"oldest": None}, "destinations": [{"name": 'a"b\\c\nd'}]}
    lines = metrics.text(Overview((), (), (), forward, 0.0)).splitlines()
    assert r'gateway_deliveries{destination="a\"b\\c\nd",state="queued"} 0' in lines


def test_the_console_serves_it(client: Any) -> None:
    status, headers, body = client.get("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert read(body.decode())["gateway_info"]


def test_the_rules_speak_of_metrics_that_there_are() -> None:
    known = {metric.name for metric in metrics.METRICS}
    assert set(re.findall(r"gateway_\w+", RULES.read_text())) <= known


@slow
def test_promtool_finds_nothing_in_the_metrics(told: str) -> None:
    done = subprocess.run(
        [need("promtool"), "check", "metrics"], input=told, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@slow
def test_the_rules_are_sound_and_fire_when_they_should(tmp_path: Path) -> None:
    for path in (RULES, Path(__file__).with_name("rules_test.yml")):
        shutil.copy(path, tmp_path)
    for command in (["check", "rules", RULES.name], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run([need("promtool"), *command], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
