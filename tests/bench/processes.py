"""The three processes as they run day and night: memory when idle, and what recording costs.

PSS counts pages that several processes share by their share (proc(5), smaps_rollup), so the sum of PSS is what the box
really spends; RSS is what ``ps`` shows. Each figure is of one run.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from gateway import local
from gateway.settings import Settings
from gateway.trial.ports import free_port
from gateway.trial.workshop import Process, Workshop, workshop
from tests.bench.measuring import Row, figure

SETTLE, IDLE, RECORDING = 3.0, 5.0, 10.0  # seconds until idle; seconds of looking
CONFIGURATION = """
[gateway]
data = "{shop.out}/data"
runtime = "{shop.runtime}"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = 0
[console]
port = {page}
[[device]]
name = "ecg1"
adapter = "simulated"
[[device]]
name = "map"
adapter = "simulated"
rate = 1000
channels = 64
[[ris]]
name = "ris"
ae_title = "RIS"
host = "127.0.0.1"
port = {nobody}
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {nobody}
"""


def rows(work: Path) -> Iterator[Row]:
    with workshop(work / "box") as shop:
        text = CONFIGURATION.format(shop=shop, listen=free_port(), page=free_port(), nobody=free_port())
        settings = shop.configure(text)
        running = _started(shop)
        time.sleep(SETTLE)
        shares = _shares(running.values(), IDLE)
        total = 0.0
        for (name, process), share in zip(running.items(), shares, strict=True):
            rss, pss = memory(process.pid)
            total += pss
            yield Row(f"{name}, idle: RSS / PSS / processor", _figures(rss, pss, share))
        yield Row("all three, idle: PSS", figure(total, "MiB"))
        yield _recording(settings, running["capture"], "ecg1", "12 leads at 500 Hz")
        wide = shop.start("capture", "map")
        wide.wait_ready()
        yield _recording(settings, wide, "map", "64 channels at 1 kHz")


def _started(shop: Workshop) -> dict[str, Process]:
    started = {"forward": shop.start("forward"), "capture": shop.start("capture", "ecg1")}
    started["console"] = shop.start("console")
    for process in started.values():
        process.wait_ready()
    return started


def _recording(settings: Settings, capture: Process, device: str, what: str) -> Row:
    """Of a simulated device: most of its share may be the simulation's own arithmetic."""
    socket = settings.places.socket(f"capture-{device}")
    local.ask(socket, {"do": "start", "exam": None, "seconds": None}, 30)
    time.sleep(1)
    (share,) = _shares([capture], RECORDING)
    rss, pss = memory(capture.pid)
    syncs = local.ask(socket, {"do": "status"}, 30)["sync"]
    local.ask(socket, {"do": "stop"}, 30)
    latency = f"sync {figure(statistics.median(syncs), 's')}, at most {figure(max(syncs), 's')}"
    return Row(f"capture recording {what}, {RECORDING:.0f} s: the same", f"{_figures(rss, pss, share)}; {latency}")


def _shares(processes: Collection[Process], seconds: float) -> list[float]:
    """Percent of one processor that each takes during so many seconds."""
    before, began = [_busy(p.pid) for p in processes], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return [100 * (_busy(p.pid) - b) / passed for p, b in zip(processes, before, strict=True)]


def _busy(pid: int) -> float:
    """Seconds of processor time so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> tuple[float, float]:
    """(RSS, PSS) in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return found["Rss"], found["Pss"]


def _figures(rss: float, pss: float, share: float) -> str:
    return f"{rss:.0f} MiB / {pss:.0f} MiB / {share:.1f} %"
