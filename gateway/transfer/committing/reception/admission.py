"""Who gets in: by address, by how many are there, and by how fast they come. Pure; times are monotonic seconds.

A caller is in one of two rooms. The *waiting room* is for those who have not asked for an association yet, or only have
to hang up; when it is full, the oldest of whoever has most places there makes way, so that silent connections never
keep a PACS out. An association has its place among a few, of which no address gets all; when all are taken, the address
that has most makes way for one that has fewer.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from gateway.transfer.association.pdu import LARGEST_DATA, AssociateReject
from gateway.transfer.association.reader import LARGEST

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """The memory that callers may take is below 24 MiB with these numbers.

    It is a message and a PDU for each association, a PDU for each of the waiting, and what is made of one report; what
    is made of a PDU of the smallest parts is twelve times its bytes.
    """

    associations: int = 16  # at a time
    waiting: int = 32  # connections without an association
    rate: float = 5.0  # new connections per second and address, in the long run
    burst: int = 40  # and at once
    request: float = 10.0  # seconds from the connection to the whole association request (ARTIM)
    patience: float = 30.0  # seconds from one whole message to the next
    closing: float = 2.0  # seconds for the caller to close the connection
    largest_associate: int = 1 << 15  # bytes; 128 contexts of two syntaxes are 20 000
    largest_data: int = 1 << 15  # bytes of a P-DATA-TF, as we announce
    largest_message: int = 1 << 19  # bytes: a report on some 2 500 instances

    @property
    def each(self) -> int:
        """Associations that one address may have."""
        return max(1, self.associations // 2)

    @property
    def largest(self) -> dict[int, int]:
        """What each type of PDU may have after its header, in bytes."""
        return LARGEST | {1: self.largest_associate, 2: self.largest_associate, 4: min(self.largest_data, LARGEST_DATA)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a caller gets no association: for the caller, and for a person. ``code`` names the kind of refusal."""

    answer: AssociateReject
    code: str
    words: str


PERMANENT, TRANSIENT = 1, 2
NOT_LISTED = Refusal(
    AssociateReject(PERMANENT, 1, 1),
    "address",
    "this address is not listed; if it is a PACS of yours, add it to 'addresses' under [listener]",
)
TOO_FAST = Refusal(AssociateReject(TRANSIENT, 3, 1), "rate", "it calls too often; look what it is up to")
TOO_MANY = Refusal(
    AssociateReject(TRANSIENT, 3, 2), "full", "all associations are in use; if that lasts, look who keeps them"
)
TOO_MANY_OF_IT = Refusal(
    AssociateReject(TRANSIENT, 3, 2), "full-each", "it has as many associations open as one address may have"
)

REMEMBERED = 256  # addresses whose rate is known; who is forgotten begins anew


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass
class Admission:
    limits: Limits
    networks: Sequence[Network] = ()
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    _inside: Counter[str] = field(default_factory=Counter)  # associations by address

    def arrive(self, address: str, now: float) -> Refusal | None:
        """Somebody connects; what to answer when they ask for an association, if they are not to get one."""
        if self.networks and not any(ip_address(address) in network for network in self.networks):
            return NOT_LISTED
        bucket = self._buckets.setdefault(address, _Bucket(self.limits.burst, now))
        self._buckets.move_to_end(address)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.left = min(self.limits.burst, bucket.left + (now - bucket.at) * self.limits.rate)
        bucket.at = now
        if bucket.left < 1:
            return TOO_FAST
        bucket.left -= 1
        return None

    def enter(self, address: str) -> Refusal | None:
        """Somebody asks for an association; with None they have a place, until :meth:`leave`."""
        if self._inside[address] >= self.limits.each:
            return TOO_MANY_OF_IT
        if self._inside.total() >= self.limits.associations:
            return TOO_MANY
        self._inside[address] += 1
        return None

    def crowd(self, newcomer: str) -> str | None:
        """Which address must give up an association so that ``newcomer`` has one; None if nobody has two more."""
        address, most = max(self._inside.items(), key=lambda item: item[1], default=("", 0))
        return address if most > self._inside[newcomer] + 1 else None

    def leave(self, address: str) -> None:
        self._inside[address] -= 1
        if self._inside[address] <= 0:
            del self._inside[address]


def who_makes_way(waiting: Sequence[str]) -> int:
    """Which of those in the waiting room (addresses, the oldest first) must go: the oldest of whoever has most."""
    most = max(Counter(waiting).values())
    crowd = {address for address, count in Counter(waiting).items() if count == most}
    return next(i for i, address in enumerate(waiting) if address in crowd)


def network(text: str) -> Network:
    """An address or a network as configured. Raises ValueError."""
    return ip_network(text, strict=False)
