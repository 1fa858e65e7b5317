"""What the crash model takes for granted of SQLite: a change is on the medium before it is said to be made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Stands between SQLite and libc: notes each sync, and of which file, in the order of the process's own words.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

static int told(const char *name, int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    char link[64], path[4096];
    int result = real(descriptor);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path);
    if (length > 0) dprintf(2, "synced %.*s\n", (int)length, path);
    return result;
}

int fsync(int descriptor) { return told("fsync", descriptor); }
int fdatasync(int descriptor) { return told("fdatasync", descriptor); }
"""
CHANGES = """
import os, sys
from pathlib import Path
from gateway.spool.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in range(3):
    os.write(2, b"begin\\n")
    with ledger.change() as c:
        c.execute("INSERT INTO steps (exam, ris, state, changed_at) VALUES (?, '', '', 0)", (str(number),))
    os.write(2, b"returned\\n")
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD")
def test_a_change_of_the_ledger_is_synced_before_it_returns(tmp_path: Path) -> None:
    source, shim, ledger = tmp_path / "shim.c", tmp_path / "shim.so", tmp_path / "ledger.sqlite"
    source.write_text(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    command = ["env", f"LD_PRELOAD={shim}", sys.executable, "-c", CHANGES, ledger]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    change = ["begin", f"synced {ledger}-wal", "returned"]
    assert told[told.index("begin") :][: 3 * len(change)] == change * 3
