"""A program with an LSL outlet, as a process of its own: ``python lsl_outlet.py '{"name": ...}'``.

Each line of standard input is one order, answered by a line: {"push": N, "skip": K, "value": X} sends the next N
samples after leaving out K (their time passes, they are never sent); "mark": TEXT at the time of sample "at".
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BEFORE = 2.0  # seconds: what is sent at once was taken before, and after, about now


def value(samples: NDArray[Any] | range, channels: int) -> NDArray[np.float32]:
    """What it sends as those samples of its life: (samples, channels), in uV."""
    numbers = np.asarray(samples)[:, None]
    return (((numbers * 7 + np.arange(channels) * 13) % 2000 - 1000) * 0.13).astype(np.float32)


def main(said: dict[str, Any]) -> None:
    import pylsl  # noqa: PLC0415  the tests import ``value`` without it

    labels, rate = said["labels"], said["rate"]
    info = pylsl.StreamInfo(said["name"], said["type"], len(labels), rate, "float32", said["source_id"])
    top = info.desc()
    top.append_child("acquisition").append_child_value("manufacturer", "Acme").append_child_value("model", "Cap 4")
    channels = top.append_child("channels")
    for label in labels:
        one = channels.append_child("channel")
        one.append_child_value("label", label).append_child_value("unit", said.get("unit", "microvolts"))
    top.append_child("reference").append_child_value("label", "A1")
    outlet = pylsl.StreamOutlet(info)
    marks = pylsl.StreamInfo(said["name"] + "-marks", "Markers", 1, 0, "string", said["source_id"] + "-marks")
    marking = pylsl.StreamOutlet(marks)
    began, position = 0.0, 0
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "push" in order:
            position += order.get("skip", 0)
            numbers = np.arange(position, position + order["push"])
            rows = value(numbers, len(labels))
            if "value" in order:
                rows[:] = float(order["value"])
            began = began or pylsl.local_clock() - said.get("before", _BEFORE)
            for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
                outlet.push_sample(row, began + number / rate)
            position += order["push"]
        if "mark" in order:
            marking.push_sample([order["mark"]], began + order["at"] / rate)
        print(json.dumps({"heard": outlet.have_consumers(), "marked": marking.have_consumers()}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
