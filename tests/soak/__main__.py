"""``make soak KILLS=n``: three processes under load, two devices, a flaky PACS, and a random process killed n times.

Its last line reads ``n kills, N instances, 0 lost, 0 doubled, N of N hashes equal`` and its exit code is 0, or it says
what is wrong and keeps the folder. The seed repeats the dice, not the moments: those are the machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from gateway import fsops, local
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.trial.patients import Patient, items
from gateway.trial.ports import free_port
from gateway.trial.workshop import workshop
from tests.soak import devices as played
from tests.soak import evidence
from tests.soak.book import Book
from tests.soak.contents import Comparison
from tests.soak.judge import Verdict, judge
from tests.soak.pacs import FlakyHospital
from tests.soak.storm import Storm
from tests.soak.technician import Technician

TITLE = "GATEWAY"
DEVICES = ("dev1", "dev2")
PROCESSES = [("forward",), *(("capture", name) for name in DEVICES), ("console",)]
TO_LEAVE, TO_DRAIN = 120.0, 300.0  # seconds
PATIENTS = tuple(
    Patient(f"SOAK-{n:03}", name, "19500101", "O", "ECG under storm", charset)
    for n, (name, charset) in enumerate(
        (
            ("Sturmvogel^Käthe", ("ISO_IR 100",)),
            ("Albatros^Diomedea", ()),
            ("Ñandú^Begoña", ("ISO_IR 192",)),
            ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("", "ISO 2022 IR 87")),
            ("Gim^Huijung=金^熙中=김^희중", ("", "ISO 2022 IR 149")),
            ("Seeschwalbe^Øyvind", ("ISO_IR 100",)),
            ("Papageitaucher^Fratercula", ()),
            ("Basstölpel^Morus", ("ISO_IR 192",)),
        ),
        1,
    )
)
CONFIGURATION = """
[gateway]
ae_title = "{title}"
data = "{shop.out}/data"
runtime = "{shop.runtime}"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = 0
retention = 0
[[device]]
name = "dev1"
adapter = "openbci_cyton"
port = "{shop.out}/tty-dev1"
iod = "general-32"
derive_leads = false
[[device]]
name = "dev2"
adapter = "openbci_cyton"
port = "{shop.out}/tty-dev2"
iod = "general-32"
derive_leads = false
sync_interval = 0.2
[[ris]]
name = "ris"
ae_title = "{hospital.ae_title}"
host = "127.0.0.1"
port = {hospital.ris_port}
poll = 10
timeout = 5
[[destination]]
name = "pacs"
ae_title = "{hospital.ae_title}"
host = "127.0.0.1"
port = {hospital.pacs_port}
retry_first = 0.2
retry_most = 2
timeout = 5
commitment_timeout = 5
[console]
port = {page}
"""


def say(words: str) -> None:
    print(f"soak: {words}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="the kill storm")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--out", type=Path, default=None, help="work folder; default: a new one, removed if all is well"
    )
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 31)
    out = args.out or Path(tempfile.mkdtemp(prefix="gateway-soak-")) / "work"
    say(f"{args.kills} kills, seed {seed} (repeat it with SEED={seed}), work in {out}")
    began = time.monotonic()
    kills, verdict, contents = _soak(out, args.kills, seed)
    for words in verdict.complaints:
        print(words)
    say(f"{verdict.samples} samples, {verdict.promised} of them promised, {time.monotonic() - began:.0f} s")
    others = "" if verdict.good or verdict.lost or verdict.doubled else f", {len(verdict.complaints)} complaints"
    if verdict.good and args.out is None:
        fsops.remove_folder(out.parent)
    elif not verdict.good:
        say(f"everything is kept in {out}")
    found = f"{verdict.instances} instances, {verdict.lost} lost, {verdict.doubled} doubled, {contents.words}"
    print(f"{kills} kills, {found}{others}")
    return 0 if verdict.good else 1


def _soak(out: Path, kills: int, seed: int) -> tuple[int, Verdict, Comparison]:
    with contextlib.ExitStack() as stack:
        shop = stack.enter_context(workshop(out))
        hospital = stack.enter_context(FlakyHospital(out / "hospital", items(TITLE, patients=PATIENTS), seed))
        players = played.Devices([out / f"tty-{name}" for name in DEVICES], seed)
        stack.callback(players.kill)
        listen, page = free_port(), free_port()
        text = CONFIGURATION.format(title=TITLE, shop=shop, hospital=hospital, listen=listen, page=page)
        settings = shop.configure(text)
        hospital.serve(TITLE, listen, settings.places.instances)
        stack.callback(shop.stop)
        for name in PROCESSES:
            shop.start(*name)
        for process in shop.processes.values():
            process.wait_ready()
        storm = Storm(shop, PROCESSES, kills, seed, hospital.busy)
        while not settings.places.worklist.exists() or not list(settings.places.worklist.glob("*.json")):
            storm.wait(0.2)
        book = Book()
        steps = [(f"SPS{n:04}", patient.id) for n, patient in enumerate(PATIENTS, 1)]
        people = [
            Technician(settings, shop.config, index, players, book, steps, seed, storm.acts)
            for index in range(len(DEVICES))
        ]
        threading.Thread(target=_look_at_the_page, args=(page,), daemon=True).start()
        for one in people:
            one.start()
        storm.blow()
        hospital.calm()
        faults = ", ".join(f"{count} {kind}" for kind, count in hospital.faults.most_common())
        say(f"the storm is over; faults of PACS, RIS and lines: {faults}; what waits is sent")
        left = _leave(storm, people)
        left += _drain(storm, settings, people)
        killed = storm.kills
        truths = players.stop()
        shop.stop()
        fsops.write_file(out / "truth.json", played.as_json(truths).encode())
        fsops.write_file(out / "book.txt", "\n".join(map(str, (*book.visits, *book.recordings.values()))).encode())
        verdict = judge(truths, book, evidence.instances(hospital, settings.places))
        verdict.complaints += [*storm.complaints, *left, *(words for one in people for words in one.complaints)]
        verdict.complaints += evidence.steps(hospital)
        verdict.complaints += evidence.ledger(settings.places, hospital)
        verdict.complaints += evidence.writings(out / "log", settings.places, PATIENTS)
        contents = evidence.contents(settings.places, hospital)
        verdict.complaints += contents.complaints
    return killed, verdict, contents


def _leave(storm: Storm, people: list[Technician]) -> list[str]:
    for one in people:
        one.leave()
    until = time.monotonic() + TO_LEAVE
    while any(one.is_alive() for one in people) and time.monotonic() < until:
        storm.wait(0.1)
    failed = [f"{one.name} gave up: {one.failure!r}" for one in people if one.failure is not None]
    return failed + [f"{one.name} does not come to an end" for one in people if one.is_alive()]


def _drain(storm: Storm, settings: Settings, people: list[Technician]) -> list[str]:
    """Until nothing waits, three looks in a row; what waits for ever."""
    until, quiet, waits = time.monotonic() + TO_DRAIN, 0, {}
    while quiet < 3 and time.monotonic() < until:
        storm.wait(1.0)
        for one in people:
            one.tidy()
        try:
            waits = local.ask(settings.places.socket("forward"), {"do": "queue"})
        except GatewayError:
            quiet = 0
            continue
        quiet = quiet + 1 if not any(waits.values()) else 0
    return [f"{kind} still waits: {row}" for kind, rows in waits.items() for row in rows]


def _look_at_the_page(port: int) -> None:
    """Somebody always has the page open."""
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
        time.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
