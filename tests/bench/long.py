"""A day of 12 leads at 1 kHz through the real processes: forward wraps, checks, copies to a folder, sends to storescp.

The recording is made by the product's own records.Writer, as fast as it goes: 4.1 GB, and an instance of 2.1 GB. Peaks
are VmHWM (proc(5)): the most that was resident, pages of mapped files included. ``GATEWAY_BENCH_HOURS=0.5`` makes it
shorter. The whole day needs 11 GB below the temporary folder (4.1 raw, 2.1 each spooled, copied and received).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from acquisitions import ITEM
from dcmtk import storescp

from firmware_adapters.simulated import ADAPTER, LEADS, SENSITIVITY, Heart, twelve_leads
from gateway import exam, fsops, local
from gateway.acquire.recorder import Recorder
from gateway.clock import Clock
from gateway.events import Samples, Started
from gateway.model import Attributed, Channel, Equipment, MultiplexGroup
from gateway.settings import Settings
from gateway.trial.workshop import Process, workshop
from tests.bench.measuring import Row, figure, run

HOURS = float(os.environ.get("GATEWAY_BENCH_HOURS", "24"))
RATE, TURN = 1000, 50  # Hz; samples in a record, as capture writes them
LONGEST = 3600.0  # seconds until it is given up
CONFIGURATION = """
[gateway]
data = "{shop.out}/data"
runtime = "{shop.runtime}"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 0
[console]
port = 0
[media]
folder = "{shop.out}/stick"
[[device]]
name = "ecg1"
adapter = "simulated"
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
policy = "stored"
"""


def rows(work: Path) -> Iterator[Row]:
    what = f"{HOURS:g} h of 12 leads at {RATE} Hz"
    with storescp(work / "received", "--ignore", nodelay=False) as port, workshop(work / "box") as shop:
        settings = shop.configure(CONFIGURATION.format(shop=shop, port=port))
        fsops.make_folder(shop.out / "stick")
        began = time.monotonic()
        size = _record(settings)
        yield Row(f"{what}: record ({size / 1e9:.2f} GB)", figure(time.monotonic() - began, "s"))
        forward = shop.start("forward")
        began = time.monotonic()
        yield Row(f"{what}: forward wraps it", figure(_until(settings, forward, began, "instances"), "s"))
        yield Row(
            f"{what}: ... until it is sent and on the medium", figure(_until(settings, forward, began, "all"), "s")
        )
        yield Row(f"{what}: forward, peak memory", figure(peak(forward.pid), "MiB"))
        (made,) = settings.places.instances.glob("*/*.dcm")
        for verb in (("check", str(made)), ("plot", str(made), "-o", str(work / "plot.svg"))):
            done = run([sys.executable, "-m", "gateway", *verb])
            yield Row(f"{what}: gateway {verb[0]}", f"{figure(done.seconds, 's')}, {figure(done.peak, 'MiB')}")


def _record(settings: Settings) -> int:
    """The recording as capture leaves it, of a patient; returns its bytes."""
    clock = Clock("always")
    whose = exam.open_exam(settings.places, clock, ("ecg1",), Attributed.SCHEDULED, ITEM)
    group = MultiplexGroup("ECG", float(RATE), tuple(Channel(lead, "uV", SENSITIVITY, bits=16) for lead in LEADS))
    recorder = Recorder(settings.places, clock, settings.device("ecg1"), ADAPTER)
    facts = recorder.begin(Started(Equipment("Modality Gateway", "Simulated ECG", "1", "1"), (group,)), whose.exam)
    heart = Heart(RATE)
    minute = np.concatenate([twelve_leads(heart.second()) for _ in range(60)])
    for _ in range(round(HOURS * 60)):
        for at in range(0, len(minute), TURN):
            recorder.take(Samples(minute[at : at + TURN], clock.monotonic()))
        recorder.sync_if_due(clock.monotonic())
    recorder.close("stopped")
    return (settings.places.acquisition(facts.acquisition) / "records").stat().st_size


def _until(settings: Settings, forward: Process, began: float, what: str) -> float:
    """Seconds until forward has come so far."""
    while (passed := time.monotonic() - began) < LONGEST:
        time.sleep(0.5)
        if what == "instances" and any(settings.places.instances.glob("[!.]*/*.dcm")):
            return passed
        if what == "all" and _delivered(settings):
            return passed
    raise RuntimeError(f"forward did not come to an end; see {forward.log}")


def _delivered(settings: Settings) -> bool:
    (folder,) = settings.places.exams.glob("*/exam.json")
    answer = local.ask(settings.places.socket("forward"), {"do": "exam", "exam": folder.parent.name}, 30)
    found = [delivery["state"] for delivery in answer["deliveries"]]
    return len(found) > 1 and all(state == "STORED" for state in found)


def peak(pid: int) -> float:
    """MiB of VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise KeyError("VmHWM")
