"""``python -m tests.fuzz.storm PORT CALLERS SEED``: so many strangers call a listener, several at a time.

It prints how many have called, every hundred; for tests that look at the listener meanwhile, in a process of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import sys
import threading
from collections import deque

from tests.fuzz.listener import stranger

AT_A_TIME = 6


def main(port: int, callers: int, seed: int) -> int:
    numbers, guard = itertools.count(), threading.Lock()

    def call() -> None:
        staying: deque[socket.socket] = deque()
        while True:
            with guard:
                number = next(numbers)
            if number >= callers:
                break
            with contextlib.suppress(OSError):  # not even its connection was taken
                stranger(random.Random(f"storm {seed} {number}"), ("127.0.0.1", port), staying)
            if number % 100 == 99:
                print(number + 1, flush=True)
        for caller in staying:
            caller.close()

    threads = [threading.Thread(target=call) for _ in range(AT_A_TIME)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
