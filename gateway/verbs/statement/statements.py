"""The three documents: the conformance statement (PS3.2 annex A), the IHE integration statement, the header's page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway import __version__
from gateway.transfer.media.profiles import PROFILES
from gateway.verbs.statement import annex, ihe, media, network, security
from gateway.verbs.statement.activities import INITIATED, roles_of
from gateway.verbs.statement.document import Block, Contents, Document, Heading, Paragraph, bullets, numbered, table

PRODUCT = "Modality gateway"
_COVER = (
    ("Product", PRODUCT),
    ("Version", __version__),
    ("Written by", f"gateway conformance, version {__version__}, from the tables that it runs by"),
    ("Warning", "not a certified medical device"),
)


def conformance() -> Document:
    return _document(
        "DICOM conformance statement",
        (
            *_overview(),
            Heading(1, "Table of contents"),
            Contents(),
            *_introduction(),
            *network.chapter(),
            *media.chapter(),
            *security.character_sets(),
            *security.security(),
            Heading(1, "Annexes"),
            *annex.contents(2),
            *annex.others(2),
        ),
    )


def integration() -> Document:
    return _document("IHE integration statement", ihe.chapter())


def header() -> Document:
    return _document("The header of an instance", annex.header())


def _document(title: str, blocks: Iterable[Block]) -> Document:
    return Document(f"{title} of the {PRODUCT.lower()}", _COVER, tuple(numbered(blocks)))


def _overview() -> Iterator[Block]:
    yield Heading(1, "Conformance statement overview")
    yield Paragraph(
        "The box stands beside a device that knows no DICOM. It records what the device says, makes DICOM instances of "
        "it under the patient that was chosen from the modality worklist, stores them at one or several archives with "
        "storage commitment, copies them to removable media, and reports the performed procedure step."
    )
    workflow = {uid for one in INITIATED if one.key in ("worklist", "step", "commit") for uid, _ in one.contexts}
    rows = [("Workflow management" if uid in workflow else "Transfer", *said) for uid, said in roles_of().items()]
    yield table("Network services", ("Group", "SOP class", "User (SCU)", "Provider (SCP)"), sorted(rows))
    web = [
        (what, "yes", "no")
        for what in ("Store (STOW-RS)", "Search (QIDO-RS)", "Retrieve (WADO-RS)", "Storage commitment")
    ]
    yield table("DICOMweb services", ("Service", "User agent", "Origin server"), web)
    profiles = [(p.name, "yes", "yes") for p in PROFILES.values() if p.compressed is not None]
    yield table("Media services", ("Application profile", "Write files (FSC or FSU)", "Read files (FSR)"), profiles)


def _introduction() -> Iterator[Block]:
    yield Heading(1, "Introduction")
    yield Heading(2, "Audience")
    yield Paragraph(
        "Whoever integrates the box: administrators of archives and information systems, biomedical engineers."
    )
    yield Heading(2, "Remarks")
    yield Paragraph(
        "Conformance does not guarantee that two systems work together. gateway echo shows what a peer accepts, "
        "gateway check judges any file by the tables that this statement was written from, and holds back what the box "
        "made if it finds an error."
    )
    yield Heading(2, "Terms")
    yield bullets(
        (
            "Exam: the performed procedure step, from the choice of a patient until it is closed.",
            "Recording: one acquisition of one device; one instance, or several if one would be too large.",
            "Destination: an archive that gets instances; its policy says what frees the box of them.",
            "Held: kept, and not sent, until a person has decided.",
        )
    )
    yield Heading(2, "References")
    yield bullets(
        (
            "DICOM PS3.2 to PS3.18, NEMA; the module tables follow edition 2026b.",
            "IHE Radiology Technical Framework, volumes 1 to 3; appendix A of volume 2x for the mapping.",
        )
    )
