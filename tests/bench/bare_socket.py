"""The least that C-STORE on one association can take: bytes made beforehand, sendall, and a wait for each answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.negotiation import Negotiation
from gateway.transfer.association.reader import Reader


def send(host: str, port: int, ae_title: str, instances: Sequence[InstanceRef]) -> float:
    """Seconds from the call to the last answer; all instances are of one class and transfer syntax."""
    first = _Line(host, port, ae_title, instances[0])
    messages = [first.message(number % 0xFFFF + 1, one) for number, one in enumerate(instances)]
    first.release()
    began = time.perf_counter()
    line = _Line(host, port, ae_title, instances[0])
    for message in messages:
        line.say(message)
        line.hear(pdu.Data)
    line.release()
    return time.perf_counter() - began


class _Line:
    """An established association."""

    def __init__(self, host: str, port: int, ae_title: str, one: InstanceRef) -> None:
        negotiation = Negotiation([(one.sop_class_uid, one.transfer_syntax_uid)])
        self._socket = socket.create_connection((host, port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = Reader()
        self.say(pdu.encode(negotiation.request(ae_title, "GATEWAY")))
        answer = self.hear(pdu.AssociateAccept)
        assert isinstance(answer, pdu.AssociateAccept)
        negotiation.accepted(answer)
        self._fragment = negotiation.fragment

    def message(self, number: int, one: InstanceRef) -> bytes:
        """The C-STORE-RQ with its data set, as P-DATA-TF of the size that the peer takes."""
        data = Path(one.path).read_bytes()
        header = part10.parse(data[: part10.LARGEST_HEADER], len(data))
        assert header is not None
        command = dimse.store(number, one.sop_class_uid, one.sop_instance_uid)
        parts = dimse.fragments(1, True, command, self._fragment)
        return b"".join(parts + dimse.fragments(1, False, memoryview(data)[header.offset :], self._fragment))

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self, wanted: type[pdu.Pdu]) -> pdu.Pdu:
        """The next PDU; acknowledged quickly, since a peer as shipped waits for that within its answer."""
        while True:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            for found in self._reader.feed(self._socket.recv(1 << 16)):
                assert isinstance(found, wanted), found
                return found

    def release(self) -> None:
        self.say(pdu.encode(pdu.ReleaseRequest()))
        self.hear(pdu.ReleaseReply)
        self._socket.close()
