"""Runs in the guest, as root: what the box knows and what the system says, as one JSON object.

``stored``: SOP Instance UID -> what the ledger says of its copy on a medium; ``waiting``: UIDs without one;
``hashes``: SHA-256 of each instance by UID; ``told``: the files of root's process, by name of the stick;
``mounts``: mount point -> options; ``failed``: units.
"""

import json
import pathlib
import sqlite3
import subprocess

AREA = pathlib.Path("/run/gateway-sticks")
ledger = sqlite3.connect("file:/var/lib/gateway/ledger.sqlite?mode=ro", uri=True)
rows = ledger.execute("SELECT instance, state, held, words FROM deliveries WHERE destination = 'media'").fetchall()
mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
units = ["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"]
print(
    json.dumps(
        {
            "stored": {uid: words for uid, state, _, words in rows if state == "STORED"},
            "waiting": [uid for uid, state, _, _ in rows if state != "STORED"],
            "held": [held for _, _, held, _ in rows if held],
            "hashes": dict(ledger.execute("SELECT uid, sha256 FROM instances")),
            "told": {path.stem: json.loads(path.read_text()) for path in AREA.glob("*.json")},
            "mounts": {where: options for _, where, _, options, *_ in mounts if where.startswith(str(AREA))},
            "failed": subprocess.run(units, check=False, capture_output=True, text=True).stdout.split("\n")[:-1],
        }
    )
)
