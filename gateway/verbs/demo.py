"""``gateway demo``: the main job end to end, with no hardware and no hospital.

What is real: the three processes, the pseudo-terminal and the Cyton's protocol on it, every DICOM message, every
file. What is played: the patient's heart, the board, and the RIS and PACS (unless real ones are named).
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
import time
from pathlib import Path
from typing import Any

from gateway import local, places, records
from gateway.errors import Held, Misuse, Retry
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.transfer import media
from gateway.trial import verdict
from gateway.trial.device import Counts, CytonPlayer, synthetic
from gateway.trial.hospital import Hospital
from gateway.trial.patients import items
from gateway.trial.ports import free_port
from gateway.trial.workshop import Workshop, workshop
from gateway.verbs import address, tell
from gateway.verbs.acquire import record
from gateway.verbs.exams import start_exam, stop_exam
from gateway.worklists import cached_worklists, choices

DEVICE = "ecg1"
TITLE = "GATEWAY"
COMMITTED_WITHIN = 120.0  # seconds
PAGES_WITHIN = 30.0  # seconds
_CONFIGURATION = """\
# Written by "gateway demo". A real box needs the same few lines: systemd/gateway.toml.
[gateway]
ae_title = "{title}"
station_name = "DEMO"
data = "{out}/data"
runtime = "{runtime}"

[clock]
trust = "always"      # a demo machine may have no NTP; a box leaves this at "ntp"

[listener]
host = "{listen_host}"
port = {listen}

[[device]]
name = "{device}"
adapter = "openbci_cyton"
port = "{port}"
test = true           # a played heart

[[ris]]
name = "ris"
ae_title = "{ris[0]}"
host = "{ris[1]}"
port = {ris[2]}
mpps = {mpps}

[[destination]]
name = "pacs"
ae_title = "{pacs[0]}"
host = "{pacs[1]}"
port = {pacs[2]}
retry_first = 1

[media]
folder = "{out}/stick"

[spool]
reserve = 64

[console]
port = {console}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="where everything goes")
    parser.add_argument("--pacs", metavar="AET@HOST:PORT", help="a real PACS instead of the embedded one")
    parser.add_argument("--ris", metavar="AET@HOST:PORT", help="a real RIS (worklist) instead of the embedded one")
    parser.add_argument("--no-mpps", action="store_true", help="the real RIS takes no performed procedure steps")
    parser.add_argument("--listen", type=int, metavar="PORT", help="where a real PACS brings its commitment reports")
    parser.add_argument("--step", metavar="SPS_ID", help="which scheduled step (default: the first complete one)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="length of the recording (default 10)")


def run(args: argparse.Namespace) -> int:
    """0 when the recording lies in the PACS, committed, equal to what the device sent."""
    if not 1 <= args.seconds <= 60:
        raise Misuse(f"--seconds {args.seconds:g} is no demo", "1 to 60")
    stopped = threading.Event()

    def on_interrupt(*_: object) -> None:
        stopped.set()
        raise KeyboardInterrupt

    with contextlib.ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            stack.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, on_interrupt))
        shop = stack.enter_context(workshop(args.out))
        real_pacs = address.parse(args.pacs) if args.pacs else None
        real_ris = address.parse(args.ris) if args.ris else None
        hospital = None
        if not (real_pacs and real_ris):
            hospital = stack.enter_context(Hospital(shop.out / "hospital", items=items(TITLE)))
            tell.note(f"hospital   embedded RIS and PACS on 127.0.0.1:{hospital.port}")
        counts = synthetic(int(args.seconds) + 30)
        device = stack.enter_context(CytonPlayer(shop.out / "tty-cyton", counts))
        tell.note(f"device     an OpenBCI Cyton, played on {device.link}")
        demo = Demo(shop, hospital, device.link, counts, args)
        if stopped.is_set():
            raise KeyboardInterrupt  # numpy may have swallowed it
        demo.configure(real_pacs, real_ris)
        stack.callback(shop.stop)  # before the device and the hospital, so that nobody misses them
        return demo.run()


class Demo:
    """The stages in order; each leaves a line for the table at the end."""

    def __init__(
        self, shop: Workshop, hospital: Hospital | None, port: Path, counts: Counts, args: argparse.Namespace
    ) -> None:
        self._shop = shop
        self._hospital = hospital
        self._port = port
        self._counts = counts
        self._args = args
        self._rows: list[tuple[str, str]] = []
        self._settings: Settings

    def configure(self, pacs: tuple[str, str, int] | None, ris: tuple[str, str, int] | None) -> None:
        hospital = self._hospital
        own = (hospital.ae_title, "127.0.0.1", hospital.port) if hospital else ("", "", 0)
        listen = self._args.listen or free_port()
        if hospital is not None:
            hospital.callers[TITLE] = ("127.0.0.1", listen)
        text = _CONFIGURATION.format(
            title=TITLE,
            out=self._shop.out,
            runtime=self._shop.runtime,
            listen=listen,
            listen_host="0.0.0.0" if pacs and self._args.listen else "127.0.0.1",
            device=DEVICE,
            port=self._port,
            ris=ris or own,
            mpps="false" if ris and self._args.no_mpps else "true",
            pacs=pacs or own,
            console=free_port(),
        )
        (self._shop.out / "stick").mkdir(mode=0o700)
        self._settings = self._shop.configure(text)

    def run(self) -> int:
        settings = self._settings
        for process in (("forward",), ("capture", DEVICE), ("console",)):
            self._shop.start(*process)
        for name, started in self._shop.processes.items():
            started.wait_ready()
            tell.note(f"process    {name} runs (pid {started.pid})")
        tell.note(f"page       http://127.0.0.1:{settings.console.port}/ while the demo runs")
        step = self._worklist()
        exam = start_exam(settings, (DEVICE,), steps=step.step_id)
        self._row("exam", f"{exam.exam}: {step.patient_name} [{step.patient_id}], {step.procedure}")
        acquisition = record(settings, DEVICE, exam.exam, self._args.seconds)
        end = records.ending(settings.places.acquisition(acquisition) / places.RECORDS)
        assert end is not None  # it was kept
        counts = end.groups[0]
        self._row("capture", f"{counts.samples} samples x 8 channels, {counts.missing} missing, kept: {acquisition}")
        stop_exam(settings, exam.exam)
        found = self._follow(exam.exam)
        self._stored(found)
        return self._judge(found)

    def _worklist(self) -> ScheduledStep:
        refreshed = local.ask(self._settings.places.socket("forward"), {"do": "worklist-refresh"}, 30)
        steps = choices(cached_worklists(self._settings.places.worklist), time.time())
        tell.note("")
        tell.table(
            ("STEP", "START", "PATIENT ID", "NAME", "PROCEDURE"),
            [(s.step_id, s.start, s.patient_id, s.patient_name, s.procedure) for s in steps],
        )
        tell.note("")
        wanted = [s for s in steps if s.step_id == self._args.step] if self._args.step else steps
        whole = [s for s in wanted if not s.missing]
        if not whole:
            raise Held("the worklist has no step that could be used", f"the RIS answered {refreshed}")
        self._row("worklist", f"{len(steps)} scheduled procedure steps by C-FIND")
        return whole[0]

    def _follow(self, exam: str) -> dict[str, Any]:
        """Watch the exam until every delivery and step is over."""
        progress, deadline = tell.Progress(), time.monotonic() + COMMITTED_WITHIN
        while time.monotonic() < deadline:
            found = local.ask(self._settings.places.socket("forward"), {"do": "exam", "exam": exam})
            states = [f"{d['destination']} {d['state'].lower()}" for d in found["deliveries"]]
            progress.show("forward    " + (", ".join(states) or "wrapping"))
            held = [r["held"] for part in found.values() for r in part if r.get("held")]
            if held:
                raise Held(held[0])
            if _over(found):
                progress.done("forward    " + ", ".join(states))
                return found
            time.sleep(0.1)
        last = [f"{d['destination']}: {d['state']} {d['words']}" for d in found["deliveries"] + _steps(found)]
        raise Retry("the PACS did not commit itself in time: " + "; ".join(last), f"see {self._shop.out}/log")

    def _stored(self, found: dict[str, Any]) -> None:
        instance = found["instances"][0]
        kinds = ", ".join(sorted({verdict.label(i["class"]) for i in found["instances"]}))
        self._row("wrap", f"{kinds}, {instance['size']} bytes, checked: conforms")
        self._row("spool", str(self._path(instance)))
        stick = media.verify(self._shop.out / "stick")
        self._row("media", f"{stick}")
        self._row("pages", self._pages())
        for delivery in found["deliveries"]:
            if delivery["destination"] == "pacs":
                self._row("C-STORE", f"to {self._settings.destination('pacs').ae_title}: stored")
                self._row("commitment", f"transaction {delivery['transaction_uid']}: {delivery['state'].lower()}")
        for step in found["steps"]:
            self._row("MPPS", f"N-CREATE, N-SET COMPLETED at {step['ris']}")

    def _pages(self) -> str:
        """forward makes them when nothing is left to copy, so they may still be on their way."""
        index, deadline = self._shop.out / "stick" / "INDEX.HTM", time.monotonic() + PAGES_WITHIN
        while not index.is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        if not index.is_file():
            raise Retry("the stick got no pages", f"see {self._shop.out}/log")
        return f"{index}: open it with a browser"

    def _path(self, instance: dict[str, Any]) -> Path:
        return self._settings.places.data / str(instance["path"])

    def _judge(self, found: dict[str, Any]) -> int:
        """Compare what lies in the PACS (else in the spool) with what the device sent; draw it; print the table."""
        ours = self._path(found["instances"][0])
        there = self._hospital.file(found["instances"][0]["uid"]) if self._hospital and not self._args.pacs else ours
        compared = verdict.compare(there, self._counts)
        whose = "the PACS" if there != ours else "the spool"
        self._row("truth", f"{compared.words} (file from {whose})")
        picture = self._shop.out / "ecg.svg"
        verdict.draw(there, picture)
        self._row("picture", str(picture))
        print()
        tell.table(("STAGE", "WHAT HAPPENED"), self._rows)
        print(f"\nall is well: the recording lies in the PACS, under the right patient, committed; look at {picture}")
        return 0 if compared.equal else 1

    def _row(self, stage: str, words: str) -> None:
        tell.note(f"{stage:<10} {words}")
        self._rows.append((stage, words))


def _over(found: dict[str, Any]) -> bool:
    wrapped = bool(found["acquisitions"]) and all(a["state"] == "WRAPPED" for a in found["acquisitions"])
    delivered = all(d["state"] in _FINAL[d["policy"]] for d in found["deliveries"])
    return wrapped and delivered and all(s["state"] == "DONE" for s in found["steps"])


def _steps(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"destination": s["ris"], **s} for s in found["steps"]]


_FINAL = {
    "commitment": ("COMMITTED",),
    "verified": ("VERIFIED", "COMMITTED"),
    "stored": ("STORED", "COMMITTED"),
    "copy": ("STORED",),
    "media-verified": ("STORED",),
}
