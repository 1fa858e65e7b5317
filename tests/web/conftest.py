"""A console on a free port, a client for it, and stand-ins for the processes it asks."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.local import Server as LocalServer
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.web.routes import routes
from gateway.web.server import Server
from gateway.worklists import Worklist, keep_worklist


@dataclass
class Client:
    port: int

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """As a proper client of the local API."""
        status, _headers, answer = self.ask("POST", path, body, Content_Type="application/json", X_Gateway="1")
        return status, json.loads(answer)


@pytest.fixture
def console(settings: Settings) -> Iterator[Server]:
    server = Server("127.0.0.1", 0, routes(settings))
    server.start()
    yield server
    server.close()


@pytest.fixture
def client(console: Server) -> Client:
    return Client(console.port)


Running = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    """``running("forward", answer)``: a process that answers status with ``answer``."""
    servers = []

    def start(name: str, answer: dict[str, Any]) -> None:
        servers.append(
            LocalServer(settings.places.socket(name), {w: lambda _: answer for w in ("status", "live", "stop")})
        )

    yield start
    for server in servers:
        server.close()


def item(step: str, name: str, patient: str = "4711") -> dict[str, Any]:
    """A worklist item as DICOM JSON."""
    scheduled = {
        "00400009": {"vr": "SH", "Value": [step]},
        "00400002": {"vr": "DA", "Value": ["20261123"]},
        "00400003": {"vr": "TM", "Value": ["081500"]},
        "00400007": {"vr": "LO", "Value": ["ECG at rest"]},
    }
    return {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]},
        "00100020": {"vr": "LO", "Value": [patient]},
        "00100030": {"vr": "DA", "Value": ["19611224"]},
        "0020000D": {"vr": "UI", "Value": ["2.25.1234"]},
        "00400100": {"vr": "SQ", "Value": [scheduled]},
    }


@pytest.fixture
def scheduled(settings: Settings) -> None:
    """Two patients on the cached worklist of a RIS."""
    steps = (
        ScheduledStep(item("SPS1", "Müller^Jürgen")),
        ScheduledStep(item("SPS2", "<script>alert(1)</script>", "4712")),
    )
    keep_worklist(settings.places.worklist, Worklist("ris", 1_795_000_000.0, steps))
