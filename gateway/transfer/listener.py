"""Where a PACS calls back: answers C-ECHO and takes storage commitment reports (PS3.4 annex J), nothing else.

A report may come with or without role selection; it is answered only after ``on_report`` returned, so what the
peer may forget is already kept here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from gateway.errors import Retry
from gateway.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.settings import Box
from gateway.settings import Listener as ListenerSettings
from gateway.transfer import commitment
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.commitment import Report

log = logging.getLogger(__name__)

ASSOCIATIONS = 10  # at a time; further callers are rejected, transiently
PATIENCE = 30.0  # seconds a caller may be silent
LARGEST_PDU = 1 << 16
_AGAIN = 5.0  # seconds until the next try to listen; a box may be up before its network is

OnReport = Callable[[Report, str], None]  # the report, and the caller's AE title


class Listener:
    """Serves in threads of its own between :meth:`start` and :meth:`close`.

    ``allowed``: AE titles that may call; nobody is refused by AE title when it is empty. ``on_report`` may be
    called from several threads at a time.
    """

    def __init__(self, box: Box, settings: ListenerSettings, allowed: Collection[str], on_report: OnReport) -> None:
        self._address = (settings.host, settings.port)
        self._on_report = on_report
        self._server: Any = None
        self.words = "not tried yet"
        self.answers: bool | None = None
        self._ae = AE(ae_title=box.ae_title)
        self._ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self._ae.implementation_version_name = IMPLEMENTATION_VERSION
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = sorted({*allowed, *settings.peers} if allowed or settings.peers else ())
        self._ae.maximum_associations = ASSOCIATIONS
        self._ae.maximum_pdu_size = LARGEST_PDU
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = PATIENCE
        self._ae.add_supported_context(Verification)
        self._ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)

    @property
    def port(self) -> int:
        """The port in use: of interest when the settings say 0 in a test."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Raises Retry if the address cannot be listened on (yet)."""
        handlers = [
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_N_EVENT_REPORT, self._report),
            (evt.EVT_REJECTED, _say_rejected),
        ]
        try:
            self._server = self._ae.start_server(self._address, block=False, evt_handlers=handlers)
        except OSError as error:
            host, port = self._address
            raise Retry(
                f"the listener cannot use {host}:{port} ({error.strerror}): no commitment report can come in",
                "see that this box has the address and nobody else the port, or choose others under [listener]",
            ) from error
        log.info("listening on %s:%d for commitment reports and C-ECHO", self._address[0], self.port)

    def turn(self, _beat: Callable[[], None] = lambda: None) -> float:
        """Begin to listen if that was not possible before; returns the seconds after which to look again."""
        if self._server is None:
            try:
                self.start()
            except Retry as error:
                if self.words != str(error):
                    log.error("%s; tried again every %.0f s", error, _AGAIN)
                self.answers, self.words = False, str(error)
            else:
                self.answers, self.words = True, "listens"
        return _AGAIN

    def close(self) -> None:
        """Stop listening; calls in progress are aborted."""
        if self._server is not None:
            self._ae.shutdown()
            self._server.server_close()
            self._server = None

    def _echo(self, event: Any) -> int:
        log.info("%s asked whether we are there (C-ECHO)", _caller(event))
        return commitment.SUCCESS

    def _report(self, event: Any) -> tuple[int, None]:
        caller = _caller(event)
        try:
            report = commitment.read_report(int(event.event_type), event.event_information)
        except ProtocolError as error:
            log.warning("%s sent a commitment report that cannot be used: %s", caller, error.message)
            return commitment.INVALID_ARGUMENT, None
        except Exception as error:  # pydicom raises many kinds on broken input
            log.warning("%s sent a commitment report that cannot be read: %s", caller, error)
            return commitment.INVALID_ARGUMENT, None
        return commitment.answer(caller, lambda: self._on_report(report, caller)), None


def _caller(event: Any) -> str:
    return str(event.assoc.requestor.ae_title).strip()


def _say_rejected(event: Any) -> None:
    requestor = event.assoc.requestor
    log.warning(
        "rejected a call from AE title %s at %s: not among the allowed callers, or not meant for this box",
        str(requestor.ae_title).strip(),
        requestor.address,
    )
