"""pynetdicom's own sender as a whole process: ``python -m tests.bench.pynetdicom_sender AET HOST PORT FOLDER``.

Its reactor thread may take an answer that send_c_store waits for: after a while such an instance is sent again on a
new association, as a caller has to.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, build_context
from pynetdicom.association import Association

LOST = 1.0  # seconds without an answer, of a small instance
SLOWEST = 20e6  # bytes a second


def main(ae_title: str, host: str, port: str, folder: str) -> int:
    paths = sorted(Path(folder).iterdir())
    first = dcmread(paths[0], stop_before_pixels=True)
    context = build_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
    ae = AE("GATEWAY")
    ae.dimse_timeout = LOST + max(path.stat().st_size for path in paths) / SLOWEST

    def call() -> Association:
        return ae.associate(host, int(port), [context], ae_title)

    association = call()
    for path in paths:
        while (status := association.send_c_store(path).get("Status")) != 0:
            if status is not None:
                return 1
            association.abort()
            association = call()
    association.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
