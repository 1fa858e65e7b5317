"""Follows the local audit trail and tells the hospital's repository what stands there, in its order.

The local file comes first and is complete without it; how far the repository has been told is kept beside it, so that a
repository that was away for a week hears everything. Syslog knows no answers: what a repository had taken from the line
and not yet kept when it died is in the local file only.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from gateway import exam, fsops
from gateway.clock import Clock
from gateway.errors import GatewayError, Retry
from gateway.settings import Settings
from gateway.spool import audit, audit_message
from gateway.spool.audit_message import Box, Study
from gateway.spool.ledger import Ledger
from gateway.step import ScheduledStep
from gateway.transfer.association.secure import SecureConnection
from gateway.transfer.auditing import syslog
from gateway.transfer.calling import peers, tls

_BATCH = 100
_IDLE = 5.0  # seconds
Beat = Callable[[], None]


class Reporter:
    """Owned by one thread, which calls :meth:`turn` over and over."""

    def __init__(self, settings: Settings, ledger: Ledger, clock: Clock) -> None:
        self._settings = settings
        self._ledger = ledger
        self._peer = peers.repository(settings.box, settings.audit)
        self._told = settings.places.audit.with_name("audit.told.json")
        self._host = socket.gethostname()
        own = settings.box
        self._box = Box(own.ae_title, own.station_name or own.ae_title, own.institution_name, os.getpid())
        audit.append(settings.places.audit, clock.now(), "rule", "start", "forward")

    def turn(self, beat: Beat = lambda: None) -> float:
        """Tell what is new; the seconds after which to look again. Raises what the network says (OSError or Retry)."""
        at = self._position()
        found = audit.entries(self._settings.places.audit, at, _BATCH)
        if not found:
            return _IDLE
        assert self._peer.security is not None
        connection = tls.connect(self._peer, self._peer.security)
        try:
            for entry, end in found:
                for xml in self._messages(entry):
                    framed = syslog.frame(xml, float(entry["at"]), self._host, os.getpid())
                    connection.write([framed], _hang_up(connection))
                    beat()
                at = end
        finally:
            connection.close()
            if at != self._position():
                fsops.write_json(self._told, {"version": 1, "bytes": at})
        return 0.0 if len(found) == _BATCH else _IDLE

    def _position(self) -> int:
        """How much of the file has been told, in bytes; from its start if that is not known, or it is another file."""
        try:
            at = int(json.loads(self._told.read_text())["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        path = self._settings.places.audit
        return at if path.exists() and at <= path.stat().st_size else 0

    def _messages(self, entry: dict[str, Any]) -> Iterator[bytes]:
        """A transfer is told once for each patient in it (A.5.3.7)."""
        uids = entry.get("instances")
        if not uids:
            yield audit_message.message(entry, self._box)
            return
        for study in self._studies([str(uid) for uid in uids]):
            yield audit_message.message(entry, self._box, self._to(str(entry["subject"])), study)

    def _to(self, name: str) -> audit_message.Peer:
        for to in self._settings.destinations:
            if to.name == name:
                return audit_message.Peer(name, to.ae_title, to.host)
        return audit_message.Peer(name, "", "")

    def _studies(self, uids: list[str]) -> Iterator[Study]:
        found: dict[str, list[tuple[str, str]]] = {}
        for uid in uids:
            rows = self._ledger.query("SELECT class, exam FROM instances WHERE uid = ?", uid)
            found.setdefault(rows[0]["exam"] if rows else "", []).append((uid, rows[0]["class"] if rows else "unknown"))
        for name, instances in found.items():
            try:
                of = exam.load(self._settings.places, name) if name else None
            except GatewayError:
                of = None
            step = ScheduledStep(of.attribution.item) if of is not None else None
            whose = (step.patient_id, step.accession_number) if step is not None else ("", "")
            yield Study(of.study_uid if of is not None else "unknown", *whose, tuple(instances))


def _hang_up(connection: SecureConnection) -> Callable[[], None]:
    """A repository says nothing; what comes is its end."""

    def hear() -> None:
        if connection.receive() == b"":
            raise Retry("the audit repository hangs up", "see its log")

    return hear
