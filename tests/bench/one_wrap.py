"""One recording wrapped in a process of its own: prints seconds, MiB that the resident set grew by, MB of the file.

``python -m tests.bench.one_wrap ours|pydicom SMALL RECORDING``. SMALL is wrapped first, so that imports, tables and
dictionaries are there; then the kernel's mark of the peak is set back (proc(5), clear_refs) and RECORDING is wrapped.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from acquisitions import an_exam, settings_of

from gateway.dicom.wrap import wrap
from gateway.model import Exam
from tests.bench import in_memory


def once(way: str, recording: Path, exam: Exam, out: Path) -> Path:
    out.mkdir()
    if way == "ours":
        return Path(wrap(recording, exam, settings_of(out), out)[0].path)  # of parts the first
    return in_memory.wrap(recording, exam, out)


def resident(field: str, process: int | str = "self") -> float:
    """MiB of VmRSS or VmHWM."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def main(way: str, small: Path, recording: Path) -> None:
    exam = an_exam()
    with tempfile.TemporaryDirectory(dir=recording.parent) as folder:
        once(way, small, exam, Path(folder) / "small")
        Path("/proc/self/clear_refs").write_text("5")
        before, began = resident("VmRSS"), time.perf_counter()
        made = once(way, recording, exam, Path(folder) / "recording")
        seconds = time.perf_counter() - began
        print(seconds, max(0.0, resident("VmHWM") - before), made.stat().st_size / 1e6)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
