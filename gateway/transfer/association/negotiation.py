"""What one association proposes, and what the peer made of it (PS3.8 9.3.2 and 9.3.3, PS3.7 D.3): pure.

Each pair of SOP class and transfer syntax is proposed as a context of its own, so that the answer says for each
whether it is taken; that is also why a peer can never choose between two syntaxes for us.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.transfer.association import pdu
from gateway.transfer.association.pdu import ProtocolError

MOST_CONTEXTS = 128  # ids are odd, 1 to 255
OUR_LARGEST = 1 << 17  # bytes of a P-DATA-TF we send, where the peer allows more
NO_ANSWER = 3  # a context that the peer does not mention counts as "abstract syntax not supported"

Pair = tuple[str, str]  # (SOP class UID, transfer syntax UID)


class Negotiation:
    """``operations``: how many requests we would like to have open at a time; 1 proposes no window at all."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        roles: Sequence[pdu.Role] = (),
        operations: int = 1,
        identity: pdu.Identity | None = None,
        common: Sequence[pdu.CommonExtended] = (),
    ) -> None:
        """Raises ValueError for no or more than 128 ``pairs``."""
        if not 0 < len(pairs) <= MOST_CONTEXTS:
            raise ValueError(f"{len(pairs)} presentation contexts")
        self._proposed = {2 * i + 1: pair for i, pair in enumerate(pairs)}
        self._results: dict[int, int] = {}
        self._ids: dict[Pair, int] = {}
        self._operations = operations
        window = (operations, 1) if operations > 1 else None
        self._user = pdu.UserInformation(roles=tuple(roles), window=window, common=tuple(common), identity=identity)
        self.window = 1  # requests that may be open at a time, as granted
        self.fragment = 0  # most bytes of data in a P-DATA-TF; 0 until accepted
        self.confirmed = False  # whether the peer says that it took the identity

    def request(self, called: str, calling: str) -> pdu.AssociateRequest:
        proposed = tuple(pdu.Context(i, pair[0], (pair[1],)) for i, pair in self._proposed.items())
        return pdu.AssociateRequest(called, calling, proposed, self._user)

    def accepted(self, answer: pdu.AssociateAccept) -> None:
        """Take the peer's answer. Raises ProtocolError if it accepts what was not proposed."""
        for result in answer.results:
            if result.id not in self._proposed:
                raise ProtocolError(f"it answers context {result.id}, which was not proposed")
            self._results[result.id] = result.result
            pair = self._proposed[result.id]
            if result.result == 0 and result.transfer_syntax != pair[1]:
                shown = result.transfer_syntax[:64]
                raise ProtocolError(f"it accepts transfer syntax {shown!r}, which was not proposed")
            if result.result == 0:
                self._ids[pair] = result.id
        announced = answer.user.max_length
        if 0 < announced < 16:
            raise ProtocolError(f"a maximum PDU length of {announced} bytes")
        # Fragments are even (PS3.8 annex D); six bytes of a P-DATA-TF are the fragment's own header.
        self.fragment = (min(announced or OUR_LARGEST, OUR_LARGEST) - 6) & ~1
        # PS3.7 D.3.3.3: no item in the answer means one at a time, 0 means no limit, and more than asked is a slip.
        if answer.user.window is not None:
            self.window = min(answer.user.window[0] or self._operations, self._operations)
        self.confirmed = answer.user.confirmed is not None

    def context(self, pair: Pair) -> int | None:
        """Id of the accepted context for the pair, or None."""
        return self._ids.get(pair)

    def is_open(self, context_id: int) -> bool:
        """Whether messages may come on this context."""
        return self._results.get(context_id) == 0

    def syntax(self, context_id: int) -> str:
        """Transfer syntax of an accepted context."""
        return self._proposed[context_id][1]

    def granted(self) -> list[Pair]:
        """The accepted pairs, in the order proposed."""
        return [pair for pair in self._proposed.values() if pair in self._ids]

    def result(self, pair: Pair) -> int:
        """What the peer answered to a proposed pair (PS3.8 table 9-18)."""
        context_id = next(i for i, p in self._proposed.items() if p == pair)
        return self._results.get(context_id, NO_ANSWER)
