"""What a capture process answers to ``status``: what its device does, how far it is durable, what is wrong."""

from __future__ import annotations

from gateway.acquire.attendant import Attendant
from gateway.errors import Retry
from gateway.local import Answer

# Of a device that records nothing; what differs is put in its place.
NOTHING: Answer = {
    "state": "ready",
    "recording": False,
    "exam": None,
    "acquisition": None,
    "seconds": 0.0,
    "samples": 0,
    "durable": 0,
    "missing": 0,
    "sync": [],
    "gaps": 0,
    "garbage": 0,
    "problem": None,
    "fix": None,
    "kept": None,
    "ended": None,
}


def report(attendant: Attendant) -> Answer:
    """A new answer each time, so any thread may read it."""
    session = attendant.session
    facts, end, problem = attendant.recorder.facts, attendant.recorder.end, attendant.problem
    first = end.groups[0] if end is not None and end.groups else None
    state = "recording" if session.recording else "starting" if session.wanted else "ready"
    missing = first.missing if first else 0
    of_frames = {"dropped_frames": missing} if attendant.shutter is not None else {}
    return {
        "device": attendant.device.name,
        "adapter": attendant.device.adapter,
        "port": attendant.device.port,
        "state": "no device" if isinstance(problem, Retry) and state == "ready" else state,
        "recording": session.recording or session.wanted,
        "exam": facts.exam if facts else None,
        "acquisition": facts.acquisition if facts else None,
        "seconds": round(session.seconds, 3),
        "samples": first.samples if first else 0,
        "durable": attendant.recorder.durable if facts else 0,  # the rest is safe with the next sync, or END
        "missing": missing,
        "sync": [round(seconds, 4) for seconds in attendant.recorder.syncs],  # of the last ones
        "gaps": end.gaps if end is not None else 0,
        "garbage": session.garbage,
        "problem": problem.message if problem else None,
        "fix": problem.fix if problem else None,
        "kept": attendant.kept.facts.acquisition if attendant.kept else None,
        "ended": attendant.kept.reason if attendant.kept else None,
        "test": attendant.device.test,
        "takes": attendant.shutter.takes if attendant.shutter is not None else None,  # of an image source
        **of_frames,
    }
