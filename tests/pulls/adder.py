"""Runs in the machine: what forward does with a stick, and what it says of it, without the rest of forward.

An order a line on standard input: ``{"root": FOLDER, "add": [NUMBER, ...], "reserve": BYTES, "weakness": ...}``.
Answers: ``{"on": NUMBER, "file_id": ...}`` when ``media.add`` has returned, so that the instance is said to be on the
stick; ``{"done": WORDS}`` at the end of the order or at the first trouble.

``weakness`` is the negative control: "never" is a gateway that never syncs, "entry" one that syncs as if FAT were a
POSIX file system.
"""

import json
import os
import sys
from pathlib import Path

from gateway import fsops
from gateway.errors import GatewayError
from gateway.model import InstanceRef
from gateway.transfer import media
from gateway.transfer.media.dicomdir import layout

SPOOL = Path(__file__).parent


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


def weaken(weakness: str) -> None:
    if weakness == "never":
        os.fsync = lambda _: None
    if weakness == "entry":
        fsops._is_fat = lambda _: False


def obey(order: dict, pieces: list[dict]) -> str:
    layout.SMALLEST_RESERVE = order["reserve"]
    weaken(order["weakness"])
    for number in order["add"]:
        piece = pieces[number]
        path = str(SPOOL / piece["name"])
        one = InstanceRef(piece["sop_class_uid"], piece["uid"], piece["syntax"], path, piece["size"])
        try:
            found = media.add(Path(order["root"]), one, "GATEWAY")
        except (GatewayError, OSError) as error:
            return str(error)
        say(on=number, file_id=str(getattr(found, "file_id", found)))
    return "all is on it"


def main() -> None:
    pieces = json.loads((SPOOL / "manifest.json").read_text())
    say(ready=len(pieces))
    for line in sys.stdin:
        say(done=obey(json.loads(line), pieces))


if __name__ == "__main__":
    main()
