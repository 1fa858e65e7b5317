"""What persons ask of a device's thread: handed over, answered there, and given up by whoever waits too long."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field

from gateway.acquire.plan import BEGIN_WITHIN
from gateway.errors import GatewayError, Retry
from gateway.local import Answer

MOST = 16  # orders that may wait


@dataclass(slots=True)
class Order:
    """One order: "start", "stop", or "trigger", which is the one or the other by what runs when it is served."""

    do: str
    exam: str | None = None
    seconds: float | None = None
    still: bool = False  # one frame of an image source
    given_up: bool = False  # nobody waits for the answer any more
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer = field(default_factory=dict)
    refused: GatewayError | None = None

    def settle(self, answer: Answer | None = None, refused: GatewayError | None = None) -> None:
        self.answer, self.refused = answer or {}, refused
        self.done.set()


class Orders:
    """Persons :meth:`ask` from any thread; the device's thread takes the :meth:`next` one and settles it."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Order] = queue.Queue(MOST)

    def ask(self, order: Order) -> Answer:
        """The answer. Raises what the order was refused with, Retry if nobody answers in time."""
        try:
            self._waiting.put(order, timeout=1)
        except queue.Full:
            raise Retry("the capture process is busy", "try again") from None
        if not order.done.wait(BEGIN_WITHIN + 1):
            order.given_up = True
            raise Retry("the capture process does not answer", "gateway status says why")
        if order.refused is not None:
            raise order.refused
        return order.answer

    def next(self) -> Order | None:
        """None if nobody asks. A start that was given up is passed over: its asker was told that nothing began."""
        try:
            order = self._waiting.get_nowait()
        except queue.Empty:
            return None
        return None if order.given_up and order.do != "stop" else order
