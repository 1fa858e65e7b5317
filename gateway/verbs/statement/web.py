"""DICOMweb (PS3.18): what the box does as a user agent, in the order of PS3.18's own template (annex K)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.verbs.statement import behaviour
from gateway.verbs.statement.document import Block, Heading, Paragraph, bullets, table

# Transaction, section of PS3.18, request, what for.
TRANSACTIONS = (
    ("Store (STOW-RS)", "10.5", "POST {url}/studies", "instances, as multipart/related; type application/dicom"),
    (
        "Storage commitment",
        "13",
        "POST and GET {url}/commitment-requests/{transaction UID}",
        'policy = "commitment": asked with POST, looked after with GET while it answers 202',
    ),
    ("Search (QIDO-RS)", "10.6", "GET {url}/instances?SOPInstanceUID={UID}&limit=2", 'policy = "verified"'),
    ("Search (QIDO-RS)", "10.6", "GET {url}/studies?limit=1", "whether the server answers (gateway echo)"),
    (
        "Retrieve (WADO-RS) metadata",
        "10.4",
        "GET {url}/studies/{UID}/series/{UID}/instances/{UID}/metadata",
        'verified_by = "metadata"',
    ),
    (
        "Retrieve (WADO-RS) instance",
        "10.4",
        "GET {url}/studies/{UID}/series/{UID}/instances/{UID}",
        'verified_by = "bytes": what comes back is compared with what was sent',
    ),
)


def entity(level: int) -> Iterator[Block]:
    yield Heading(level, "DICOMweb user agent")
    yield Paragraph(
        "A destination whose url is configured is reached over HTTP/1.1 instead of an association. The box is a user "
        "agent only: it offers no DICOMweb service."
    )
    yield table("Transactions", ("Transaction", "PS3.18", "Request", "Used for"), TRANSACTIONS)
    yield bullets(
        (
            "An instance is sent as the file it is, in its own transfer syntax; one that is refused for that (C122H) "
            "is held.",
            "Several instances go in one request; when it fails and nobody can tell whose fault it was, in smaller "
            "ones.",
            "Security: https with the TLS profile below, a client certificate, or a bearer token that is read from a "
            "file for each request. Redirects are told to a person and not followed.",
            "Answers are read as application/dicom+json; what a server says in words is not shown, since it may name a "
            "patient.",
        )
    )
    yield behaviour.http()
    yield behaviour.http_reasons()
