"""C-STORE into Orthanc, which keeps what it gets and syncs it (SyncStorageArea): two associations beside storescu.

Between two runs Orthanc is emptied over REST, which is not timed: else the second run would only be told that its
instances are there already.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

from ecg_files import write_ecg
from orthanc import Orthanc, orthanc

from tests.bench.contenders import COMMAND, SERVICE, Called, Work, process, seconds, warm
from tests.bench.measuring import NOT_INSTALLED, Row, Run, alternate, program

MANY, SAMPLES = 100, 5000
ASSOCIATIONS = 2


def rows(work: Path) -> Iterator[Row]:
    what = f"C-STORE {MANY} x {SAMPLES * 24 / 1000:.0f} kB into Orthanc, synced disk"
    if program("Orthanc") is None:
        yield Row(what, "-", f"Orthanc: {NOT_INSTALLED}")
        return
    folder = work / "small"
    for _ in range(MANY):
        write_ecg(folder, SAMPLES)
    with warm() as service, orthanc(work / "orthanc", SyncStorageArea=True, DicomAlwaysAllowStore=True) as pacs:
        to = Called(pacs.port, pacs.ae_title)
        works: dict[str, Work] = {
            SERVICE: service.work(SERVICE, to, folder, ASSOCIATIONS),
            "ours, one association": service.work(SERVICE, to, folder),
        }
        works |= {n: found for n in (COMMAND, "storescu") if (found := process(n, to, folder)) is not None}
        runs = alternate({name: _into_empty(pacs, one) for name, one in works.items()})
    yield from seconds(f"{what}, {ASSOCIATIONS} associations", runs, SERVICE, ("storescu", "ours, one association"))
    yield from seconds(what, runs, COMMAND, ("storescu",))


def _into_empty(pacs: Orthanc, work: Work) -> Work:
    def run() -> Run:
        for patient in pacs.get("/patients"):
            url = f"http://127.0.0.1:{pacs.http}/patients/{patient}"
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60).close()
        done = work()
        if (kept := len(pacs.get("/instances"))) != MANY:
            raise RuntimeError(f"Orthanc has {kept} of {MANY} instances")
        return done

    return run
