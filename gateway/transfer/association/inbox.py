"""The answers of a peer that nobody has waited for yet: as many, and as large, as a peer may send ahead. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import LARGEST_DATA_SET, Message, Tag
from gateway.transfer.association.pdu import ProtocolError

UNREAD = 256  # messages


class Inbox:
    def __init__(self) -> None:
        self._messages: deque[Message] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def size(self) -> int:
        """Bytes of the data sets in it."""
        return sum(len(message.data or b"") for message in self._messages)

    def put(self, answer: Message) -> None:
        """Raises ProtocolError for an answer without a Status, and for one too many."""
        dimse.number(answer.command, Tag.STATUS)
        if len(self) >= UNREAD:
            raise ProtocolError(f"more than {UNREAD} answers that nobody asked for")
        if answer.data and self.size + len(answer.data) > LARGEST_DATA_SET:
            raise ProtocolError(f"answers of more than {LARGEST_DATA_SET} bytes that nobody asked for")
        self._messages.append(answer)

    def take(self) -> Message:
        """The oldest. Raises IndexError if there is none."""
        return self._messages.popleft()

    def take_all(self) -> Iterator[Message]:
        while self._messages:
            yield self._messages.popleft()
