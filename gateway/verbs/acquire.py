"""``gateway acquire DEVICE``: one exam, one recording. Asks a running capture; without one, captures itself."""

from __future__ import annotations

import argparse
import time

from gateway import capture, configuration, exam, local
from gateway.acquire.limit import FULL
from gateway.acquire.shutter import CLIP, STILL
from gateway.clock import Clock
from gateway.dicom import reasons
from gateway.errors import Held, Misuse, Retry
from gateway.settings import Settings
from gateway.verbs import identity, tell
from gateway.verbs.exams import stop_exam

DEFAULT_SECONDS = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="N", help="length (default 10)")
    takes = parser.add_mutually_exclusive_group()
    takes.add_argument("--still", dest="takes", action="store_const", const=STILL, help="of an image source: one frame")
    takes.add_argument("--clip", dest="takes", action="store_const", const=CLIP, help="--seconds of an image source")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    identity.arguments(parser)


def run(args: argparse.Namespace) -> int:
    settings = configuration.load(args.config)
    settings.device(args.device)
    if not 0 < args.seconds <= 7 * 86400:
        raise Misuse(f"--seconds {args.seconds:g} makes no recording", "more than 0, at most a week")
    named = identity.from_arguments(settings, args)
    if named is not None:
        clock = Clock(settings.clock.trust)
        exam_id = exam.open_exam(settings.places, clock, (args.device,), *named).exam
        acquisition = _in_own_exam(settings, args, exam_id)
    elif (found := exam.current(settings.places, args.device)) is not None:
        exam_id = found.exam
        acquisition = record(settings, args.device, exam_id, args.seconds, args.json, args.takes)
    else:
        raise Misuse("whose recording is this?", "name a patient (--step, --patient-id, --emergency) or start an exam")
    if args.json:
        tell.as_json({"exam": exam_id, "acquisition": acquisition, "device": args.device})
    else:
        print(f"kept: acquisition {acquisition} of exam {exam_id}")
    return 0


def _in_own_exam(settings: Settings, args: argparse.Namespace, exam_id: str) -> str:
    """Record, and close the exam whatever happens: what was not recorded is DISCONTINUED."""
    status, why = "DISCONTINUED", reasons.EQUIPMENT
    try:
        acquisition = record(settings, args.device, exam_id, args.seconds, args.json, args.takes)
        status = "COMPLETED"
    finally:
        stop_exam(settings, exam_id, status, why)
    return acquisition


def record(
    settings: Settings, device: str, exam_id: str, seconds: float, quiet: bool = False, takes: str | None = None
) -> str:
    """One recording of ``seconds`` by the running capture or by ourselves; returns the acquisition's id.

    ``takes``: of an image source, "still" or "clip"; None: as is set for it.
    """
    progress = tell.Progress()

    def show(done: float) -> None:
        if not quiet:
            progress.show(f"{device}: recording {min(done, seconds):.0f} of {seconds:.0f} s")

    socket = settings.places.socket(f"capture-{device}")
    if local.ask_if_there(socket, {"do": "ping"}, timeout=2) is None:
        return capture.record(settings, device, exam_id, seconds, show, takes=takes)
    local.ask(socket, {"do": "start", "exam": exam_id, "seconds": seconds, "takes": takes})
    try:
        deadline = time.monotonic() + seconds + 30
        while time.monotonic() < deadline:
            answer = local.ask(socket, {"do": "status"})
            if not answer["recording"] and (answer["ended"] == FULL or (answer["problem"] and not answer["kept"])):
                raise Held(str(answer["problem"]), str(answer["fix"] or ""))
            if not answer["recording"] and answer.get("kept"):
                return str(answer["kept"])
            show(float(answer.get("seconds") or 0))
            time.sleep(0.1)
    except KeyboardInterrupt:
        local.ask_if_there(socket, {"do": "stop", "exam": exam_id})  # what was recorded is kept
        raise
    raise Retry(f"device {device!r} did not finish its recording", "gateway status says why")
