"""``gateway echo``: does a peer answer, and take what this box needs of it? Without a name, all of them at once."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.destination import Destination
from gateway.errors import GatewayError, Retry
from gateway.settings import Ris, Settings
from gateway.transfer.calling import echo, peers
from gateway.transfer.calling.echo import Echo
from gateway.transfer.calling.peers import Peer
from gateway.transfer.names import CLASSES, PUSH_MODEL, SYNTAXES
from gateway.verbs import address, tell

_STEP, _WORKLIST = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.4.31"
_STORED = tuple(uid for uid in CLASSES if uid.startswith("1.2.840.10008.5.1.4.1.1."))
_AFTERWARDS = """\
exit codes:
  0  every peer answers, and takes what this box needs of it
  1  one answers, but refuses what its settings say is needed: a class, the commitment, the worklist
  3  one cannot be reached
  4  one refuses this box, or the C-ECHO
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One peer, what it is for this box ("" = nothing is known of it), and how its answer is judged.

    ``peer`` is made when it is asked: a credential that is missing for one must not keep the others from being asked.
    """

    what: str
    name: str
    peer: Callable[[], Peer]
    judge: Callable[[Echo], Iterator[str]]


@dataclass(slots=True)
class Result:
    asked: Asked
    answer: Echo | None = None
    error: Exception | None = None

    @property
    def findings(self) -> list[str]:
        return list(self.asked.judge(self.answer)) if self.answer is not None and self.answer.accepted else []

    @property
    def exit_code(self) -> int:
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, GatewayError) else Retry.exit_code
        return 1 if self.findings else 0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _AFTERWARDS
    parser.add_argument(
        "peer",
        nargs="?",
        metavar="PEER",
        help="AET@HOST:PORT, a URL (DICOMweb), or a configured name; without one, every destination and RIS",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    address.options(parser, *address.TLS, *address.WHO)


def run(args: argparse.Namespace) -> int:
    """See the exit codes above; of several, the one that says most: 3, then 4, then 1."""
    if args.peer is None:
        return _all(address.configured(args), args.json)
    result = Result(_one(args))
    _ask(result)
    if result.error is not None:
        raise result.error
    if args.json:
        tell.as_json(_as_json(result))
    else:
        _show(result)
    return result.exit_code


def _one(args: argparse.Namespace) -> Asked:
    peer = address.peer(args, args.peer)
    asked = _asked(address.configured(args)) if address.is_name(args.peer) else ()
    known = [one for one in asked if one.name == peer.name]
    what, judge = (known[0].what, known[0].judge) if known else ("", _anybody)
    return Asked(what, peer.name, lambda: peer, judge)


def _all(settings: Settings, as_json: bool) -> int:
    results = [Result(asked) for asked in _asked(settings)]
    threads = [threading.Thread(target=_ask, args=(result,), daemon=True) for result in results]
    for thread in threads:
        thread.start()
    for thread, result in zip(threads, results, strict=True):
        thread.join()
        if not as_json:
            _show(result)
    if as_json:
        tell.as_json({"peers": [_as_json(result) for result in results]})
    elif not results:
        tell.note("no destination and no RIS is configured")
    codes = {result.exit_code for result in results}
    return next((code for code in (3, 4, 2, 1) if code in codes), 0)


def _asked(settings: Settings) -> Iterator[Asked]:
    """Every RIS and destination; who is asked for commitment under another AE title is a peer of its own."""
    for ris in settings.ris:
        yield Asked(f"RIS {ris.name}", ris.name, partial(peers.ris, settings.box, ris), _ris(ris))
    for to in settings.destinations:
        apart = to.commitment_ae_title not in ("", to.ae_title)
        asked = partial(peers.destination, settings.box, to)
        yield Asked(f"destination {to.name}", to.name, asked, _destination(to, apart))
        if apart and to.policy == "commitment":
            asked = partial(peers.commitment, settings.box, to)
            yield Asked(f"commitment of {to.name}", f"{to.name} commitment", asked, _commitment)


def _anybody(_: Echo) -> Iterator[str]:
    """Nobody knows what is needed of it."""
    return iter(())


def _destination(to: Destination, apart: bool) -> Callable[[Echo], Iterator[str]]:
    def judge(answer: Echo) -> Iterator[str]:
        if not any(answer.accepted[uid] for uid in _STORED):
            yield "it takes none of the waveform classes: nothing could be stored there"
        if to.policy == "commitment" and not apart:
            yield from _commitment(answer)

    return judge


def _commitment(answer: Echo) -> Iterator[str]:
    if not answer.accepted[PUSH_MODEL]:
        yield 'it refuses storage commitment, which policy = "commitment" waits for: nothing would ever be freed'


def _ris(ris: Ris) -> Callable[[Echo], Iterator[str]]:
    def judge(answer: Echo) -> Iterator[str]:
        for wanted, uid, key in ((ris.worklist, _WORKLIST, "worklist"), (ris.mpps, _STEP, "mpps")):
            if wanted and not answer.accepted[uid]:
                yield f"it refuses {CLASSES[uid]}; have it allowed there, or set {key} = false"

    return judge


def _ask(result: Result) -> None:
    try:
        result.answer = echo.echo(result.asked.peer())
    except (GatewayError, OSError) as error:
        result.error = error


def _show(result: Result) -> None:
    head = f"{result.asked.what}: " if result.asked.what else ""
    if result.error is not None:
        print(f"{head}{result.error}")
    else:
        print(f"{head}{result.answer}")
    for words in result.findings:
        print(f"  ATTENTION: {words}")


def _as_json(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {"name": result.asked.name, "what": result.asked.what}
    found |= {"answers": result.answer is not None, "words": str(result.error or ""), "findings": result.findings}
    if (answer := result.answer) is not None:
        accepted = {CLASSES[uid]: [SYNTAXES[s] for s in taken] for uid, taken in answer.accepted.items()}
        seconds = {"seconds": round(answer.seconds, 4), "round_trip": round(answer.round_trip, 4)}
        found |= {"peer": str(answer.peer), **seconds, "tls": answer.tls, "accepted": accepted}
    return found
