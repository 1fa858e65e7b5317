"""Whether DICOMweb services answer, and let this box in: a search for one study, which nothing is done with."""

from __future__ import annotations

from gateway.errors import Held
from gateway.transfer.calling import outcomes
from gateway.transfer.calling.outcomes import Failed, Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.dicomweb import payload, statuses
from gateway.transfer.dicomweb.server import Server


def probe(peer: Peer) -> Outcome:
    """Whether it answers, and lets this box in."""
    try:
        ask(peer)
    except Failed as failed:
        return failed.outcome
    except Held as error:
        return Outcome("hold", "", str(error))
    return Outcome("done", "", "answers")


def ask(peer: Peer) -> str:
    """Which TLS it was, for a person; "" without. Raises Failed or Held with the reason in words."""
    server = Server()
    try:
        answer = server.ask(peer, "GET", "/studies?limit=1", {})
        if not 200 <= answer.status < 300:
            raise outcomes.error(statuses.outcome(peer, answer.status, answer.headers))
        if answer.body.strip():
            payload.datasets(answer.media_type, answer.body)
        return server.tls()
    except payload.Unintelligible as error:
        words = f"{peer} answers a search with {error}; is url where its DICOMweb services begin?"
        raise Failed(Outcome("retry", "no-dicomweb", words)) from error
    finally:
        server.close()
