"""Runs one command and prints "exit code, seconds, peak MiB" of it; started by ``measuring.run`` with -I -S.

A child's peak (ru_maxrss) begins at what its parent held when it was started. The bench itself holds a hundred
megabytes of samples, so this little interpreter stands between: its own 9 MiB are the floor of what can be seen.
"""

from __future__ import annotations

import os
import sys
import time

began = time.monotonic()
pid = os.posix_spawnp(
    sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_maxrss / 1024)
