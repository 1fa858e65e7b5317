"""``gateway send``: DICOM files to a peer, with progress, a summary, and an exit code that tells the truth."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path

from gateway.transfer.calling.peers import Peer
from gateway.transfer.delivering.transports import transport
from gateway.transfer.storing import fallback
from gateway.verbs import address, sent, sources, tell

_AFTERWARDS = """\
exit codes:
  0  the peer took every instance
  1  it refused one, or a file in a named folder could not be read
  2  wrong use: a path that is not there, a named file that is no DICOM, nothing to send
  3  it could not be reached, or has no room now: the same command may succeed later

as with dcmsend (DCMTK):
  dcmsend --scan-directories --recurse -aet ME -aec PACS HOST PORT DIR
  gateway send --aet ME --to PACS@HOST:PORT DIR
  A DICOMDIR that is named stands for its files (--read-from-dicomdir); files without a header are taken (--read-file);
  a refusal never ends the rest (--no-halt), and is never exit code 0.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _AFTERWARDS
    parser.add_argument("--to", metavar="PEER", help="AET@HOST:PORT, a URL (DICOMweb), or a destination's name")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR", help="Part 10 files, folders, a DICOMDIR")
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent and proposed, and call nobody")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    address.options(parser, *address.STORING, *address.TLS, *address.WHO)


def run(args: argparse.Namespace) -> int:
    """See the exit codes above."""
    peer = _peer(args)
    found = sources.find(args.paths)
    sending = sent.Sending(peer, found)
    if args.dry_run:
        own = dict.fromkeys((i.sop_class_uid, i.transfer_syntax_uid) for i in found.instances)
        sent.proposal(peer, found, fallback.proposed(list(own), peer.decodes) if peer.scratch else own)
        return sending.exit_code
    try:
        _send(sending, args.json)
    finally:  # who stops it wants to know what the peer has by now
        if args.json:
            tell.as_json(sent.as_json(sending))
        else:
            sent.details(sending)
    return sending.exit_code


def _peer(args: argparse.Namespace) -> Peer:
    """Scratch files go where the system keeps large ones (hier(7)); the data folder is the service's own."""
    peer = address.peer(args, args.to)
    return dataclasses.replace(peer, scratch=os.environ.get("TMPDIR", "/var/tmp") if peer.scratch else "")  # noqa: S108


def _send(sending: sent.Sending, quiet: bool) -> None:
    line, began = sent.Line(sending), time.monotonic()
    try:
        send, progress = transport(sending.peer.web is not None).send, line.within if line.live else None
        for instance, outcome in send(sending.peer, sending.found.instances, progress):
            sending.outcomes.append((instance, outcome))
            line.told(instance)
    finally:
        sending.seconds = time.monotonic() - began
        if not quiet:
            line.end(sent.in_words(sending))
