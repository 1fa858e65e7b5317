"""Support of character sets, and security (PS3.2 A, sections 6 and 7), from the tables that text and TLS go by."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dicom import charsets
from gateway.transfer.calling import tls
from gateway.verbs.statement.document import Block, Heading, Paragraph, bullets, table


def character_sets() -> Iterator[Block]:
    yield Heading(1, "Support of character sets")
    yield Paragraph(
        "What leaves the box (instances, procedure steps, queries) has no Specific Character Set if every text is "
        "ASCII, and ISO_IR 192 (UTF-8) otherwise, whatever set the RIS used: UTF-8 has every character that another "
        "set can carry. All component groups of a person's name are kept."
    )
    plain = [(term, "without code extensions", "yes") for term in charsets.PLAIN]
    extended = [(term, "with code extensions", "yes") for term in sorted(charsets.EXTENDED, key=_by_number)]
    yield table("Character sets of the worklist", ("Defined term", "Kind", "Read"), (*plain, *extended))
    yield Paragraph(
        "A text that is not in the set that its item declares is taken out, and the item is shown as one that lacks "
        "it: a damaged name must not meet a patient. A RIS that declares nothing can be given a set (character_set)."
    )


def _by_number(term: str) -> int:
    return int(term.rpartition(" ")[2])


def security() -> Iterator[Block]:
    yield Heading(1, "Security")
    yield Heading(2, "Security profiles")
    rows = (
        (
            "BCP 195 RFC 8996, 9325 TLS",
            "PS3.15 B.12",
            "supported as initiator, for a destination with tls or an https url",
        ),
        ("Modified BCP 195 RFC 8996, 9325 TLS", "PS3.15 B.13", "not supported"),
        ("Basic and AES TLS", "PS3.15 B.1, B.3", "retired; not supported"),
        (
            "Audit trail message transmission, SYSLOG-TLS",
            "PS3.15 A.6",
            "supported, for a repository that is configured; the trail is kept in a file of the box too",
        ),
        ("Digital signatures", "PS3.15 C", "not supported"),
        ("Media storage security", "PS3.15 D", "not supported"),
        ("Attribute confidentiality (de-identification)", "PS3.15 E", "not supported"),
        ("User identity negotiation", "PS3.7 D.3.3.7", "username, and username and passcode, as requestor"),
    )
    yield table("Security profiles", ("Profile", "Section", "Support"), rows)
    yield Heading(2, "Association level security")
    yield Paragraph(
        f"TLS {tls.OLDEST.name.removeprefix('TLSv').replace('_', '.')} or newer; there is no way back to a plain "
        "connection. The peer's certificate must be signed by the CA that is configured, or one that the system "
        "trusts, and be for the host or the name that is configured. Node authentication with a certificate of the "
        "box's own, if configured. No renegotiation, no compression. The listener speaks no TLS."
    )
    suites = [(suite, "TLS 1.2") for suite in tls.SUITES.split(":")]
    suites += [("all of TLS 1.3", "TLS 1.3")]
    yield table("Cipher suites that are proposed", ("Suite", "Protocol"), suites)
    yield Heading(2, "Application level security")
    yield bullets(
        (
            "Who may call is decided by AE title, and by address if configured; see association acceptance policy.",
            "Secrets stand in files that only the box's user may read, or in credentials of systemd; never in the "
            "configuration file.",
            "An association request with user identity asks for a response.",
        )
    )
