"""A message for syslog over TLS: header (RFC 5424), octet counting (RFC 5425); facility and MSGID by PS3.15 A.6."""

from __future__ import annotations

from datetime import UTC, datetime

PRIORITY = 10 * 8 + 5  # facility "security/authorization", severity "notice"
MSGID = "DICOM+RFC3881"
_BOM = b"\xef\xbb\xbf"  # the message is UTF-8 (RFC 5424, 6.4)


def frame(xml: bytes, at: float, host: str, process: int, program: str = "gateway") -> bytes:
    """What goes over the line. ``at``: when it happened (seconds since 1970)."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = f"<{PRIORITY}>1 {stamp} {_printable(host, 255)} {program} {process} {MSGID} - "
    told = header.encode("ascii") + _BOM + xml
    return b"%d " % len(told) + told


def _printable(name: str, longest: int) -> str:
    """PRINTUSASCII of a header field; "-" is nothing."""
    return "".join(c for c in name if "!" <= c <= "~")[:longest] or "-"
