"""One acquisition of frames wrapped in a process of its own: prints seconds, and seconds of CPU.

``python -m tests.bench.one_clip SMALL CLIP [CODING]``: SMALL is wrapped first, so that imports and tables are there.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from acquisitions import an_exam
from pictures import settings_for

from gateway.dicom.wrap import wrap
from gateway.profile import Profile


def main(small: Path, clip: Path, coding: str = "uncompressed") -> None:
    profile = Profile(name="bench", coding=coding)
    with tempfile.TemporaryDirectory(dir=clip.parent) as folder:
        for recording in (small, clip):
            out = Path(folder) / recording.name
            out.mkdir()
            began, busy = time.perf_counter(), time.process_time()
            wrap(recording, an_exam(), settings_for(out, profile, iod="endoscopic"), out)
        print(time.perf_counter() - began, time.process_time() - busy)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
