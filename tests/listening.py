"""A listener that somebody serves, as forward does: in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from gateway.transfer.committing.listener import Listener


@contextlib.contextmanager
def served(listener: Listener) -> Iterator[Listener]:
    """Between start and close; an error of :meth:`Listener.turn` shows."""
    listener.start()
    stopping, failures = threading.Event(), list[BaseException]()

    def serve() -> None:
        try:
            while not stopping.is_set():
                listener.turn()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=serve, name="listener", daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        stopping.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", listener.port), 1).close()  # it need not wait for anybody any more
        thread.join(10)
        assert not thread.is_alive(), "the listener hangs"
        listener.close()
    if failures:
        raise failures[0]
