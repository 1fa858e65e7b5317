"""Runs in the guest, as the user gateway: what was recorded, oldest first, as one JSON object a line.

``written``: when the last byte was, END that is, on the monotonic clock; ``colours``: the mean samples of each eighth
of the first frame's width, of rows half-way down, as they are in it.
"""

import hashlib
import json
import pathlib
import sys
import time

import numpy as np

from gateway import records
from gateway.acquire.recorder import read_facts
from gateway.events import Frame, Gap, Marker
from gateway.model import to_json

BYTES = {"YUYV": 4, "RGB24": 3}  # of one group of pixels


def colours(data, picture):
    if picture.encoding not in BYTES:
        return []
    width = BYTES[picture.encoding]
    rows = np.frombuffer(data, np.uint8).reshape(picture.rows, -1, width)
    middle = rows[picture.rows // 2 : picture.rows // 2 + 4]
    eighth = middle.shape[1] / 8
    parts = [middle[:, int((n + 0.3) * eighth) : int((n + 0.7) * eighth)] for n in range(8)]
    return [np.round(part.mean(axis=(0, 1)), 2).tolist() for part in parts]


for folder in sorted(pathlib.Path("/var/lib/gateway/acquisitions").iterdir()):
    facts = read_facts(folder)
    if facts.picture is None or not facts.device.startswith(sys.argv[1]):
        continue
    events = list(records.events(folder / "records"))
    frames = [event for event in events if isinstance(event, Frame)]
    end = records.ending(folder / "records")
    print(
        json.dumps(
            {
                "acquisition": facts.acquisition,
                "device": facts.device,
                "exam": facts.exam,
                "picture": to_json(facts.picture),
                "equipment": to_json(facts.equipment),
                "began": facts.started.monotonic,
                "order": [type(event).__name__ for event in events],
                "written": (folder / "records").stat().st_mtime - (time.time() - time.monotonic()),
                "times": [frame.time for frame in frames],
                "sizes": sorted({len(frame.data) for frame in frames}),
                "different": len({hashlib.sha256(frame.data).digest() for frame in frames}),
                "gaps": [[e.reason, e.samples, e.seconds] for e in events if isinstance(e, Gap)],
                "markers": [e.text for e in events if isinstance(e, Marker)],
                "colours": colours(frames[0].data, facts.picture) if frames else [],
                "end": None if end is None else {"reason": end.reason, "frames": end.frames, "bytes": end.frame_bytes},
                "counted": None if end is None else [end.groups[-1].samples, end.groups[-1].missing],
            }
        )
    )
