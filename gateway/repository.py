"""Where the audit trail goes beside the local file: settings of the hospital's audit repository (PS3.15 A.6)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway import fields
from gateway.fields import setting


@dataclass(frozen=True, slots=True)
class Repository:
    """The hospital's audit repository: syslog over TLS (RFC 5424, 5425), messages of DICOM PS3.15 A.5."""

    host: str = setting("", fields.text(255, r"\S*"), "where it listens; empty: there is only the local file")
    port: int = setting(6514, fields.whole(1, 65535), "its port")
    ca: str = setting("", fields.file(), "who signed its certificate (PEM); empty: whom this system trusts")
    certificate: str = setting("", fields.file(), "this box's own certificate and its chain (PEM)")
    key: str = setting("", fields.file(), "the certificate's key (PEM, no pass phrase), if not in the same file")
    certificate_name: str = setting(
        "", fields.text(255, r"\S*"), 'name in its certificate, if another than host; "*": any that the CA signed'
    )
    timeout: float = setting(30.0, fields.number(1, 600, "seconds"), "no progress for so long is a failure")

    @property
    def name(self) -> str:
        """What messages call it."""
        return "audit repository"
