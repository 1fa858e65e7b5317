"""Media interchange (PS3.2 A, section 5), from the tables of profiles and directory records."""

from __future__ import annotations

from collections.abc import Iterator

from gateway import fields
from gateway.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.settings import Media
from gateway.transfer.media.dicomdir import records_table
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE, RECORD_TYPE
from gateway.transfer.media.profiles import DEFAULT, PROFILES
from gateway.verbs.statement.activities import class_name, written_classes
from gateway.verbs.statement.document import Block, Heading, Paragraph, bullets, table

# Activity, role, what happens.
ACTIVITIES = (
    (
        "Copy what is recorded",
        "FSC",
        "A medium without a DICOMDIR gets one; each instance is written before its records.",
    ),
    ("Add to a file-set", "FSU", "What another program put there stays as it is; its DICOMDIR is kept beside ours."),
    ("Verify, repair, remove", "FSR, FSU", "Read back and compared; a DICOMDIR is built anew from the files."),
    ("Bring back", "FSR", "Instances that the box and its destinations lack (gateway media import)."),
)


def chapter() -> Iterator[Block]:
    yield Heading(1, "Media interchange")
    yield Heading(2, "Implementation model")
    yield Heading(3, "Application data flow and functional definition")
    yield table("Activities of the media AE", ("Activity", "Role", "What happens"), ACTIVITIES)
    yield Heading(3, "Sequencing")
    yield bullets(
        (
            "The oldest instance first; one of nobody's never.",
            "The file is on the medium and synced before the DICOMDIR names it.",
            "A medium that is pulled in mid-write is mended when it comes back; a full one is followed by a further "
            "file-set.",
        )
    )
    yield Heading(3, "File meta information")
    rows = (
        ("Implementation Class UID", IMPLEMENTATION_CLASS_UID),
        ("Implementation Version Name", IMPLEMENTATION_VERSION),
    )
    yield table("File meta information of files and DICOMDIR", ("What", "Value"), rows)
    yield Heading(2, "AE specifications")
    yield from _entity()
    yield Heading(2, "Augmented and private application profiles")
    yield Paragraph('None. With profile = "none" a file-set claims no profile; it is media by PS3.10 all the same.')
    yield Heading(2, "Media configuration")
    head = ("Key", "Allowed", "Default", "Meaning")
    yield table("Settings under [media]", head, fields.documentation(Media))


def _entity() -> Iterator[Block]:
    yield Heading(3, "Media AE")
    claimed = [p for p in PROFILES.values() if p.compressed is not None]
    rows = [(p.name, p.words, "FSC, FSU, FSR", "default" if p.name == DEFAULT else "if configured so") for p in claimed]
    yield table("Application profiles", ("Profile", "Name", "Roles", "When"), rows)
    yield Paragraph(
        "One file-set claims one profile, the one that it began with. FAT16 or FAT32 in the first partition (PS3.12 R, "
        "U). INDEX.HTM, README.TXT and IHE_PDI lie beside it (IHE PDI), unless switched off."
    )
    syntaxes = []
    for profile in claimed:
        for uid in (EXPLICIT_LITTLE, *sorted(profile.compressed or ())):
            syntaxes.append((profile.name, class_name(uid), uid))
    yield table("Transfer syntaxes of each profile", ("Profile", "Transfer syntax", "UID"), syntaxes)
    rows = [
        (class_name(uid), uid, RECORD_TYPE[uid], ", ".join(map(class_name, made)))
        for uid, made in written_classes().items()
    ]
    yield table(
        "SOP classes that are written", ("Media storage SOP class", "UID", "Directory record", "Transfer syntax"), rows
    )
    yield Paragraph(
        "What has a transfer syntax that the profile does not allow is held, or made anew without loss (unfit)."
    )
    yield Paragraph("Instances of other classes that came to the box are written too, with these directory records:")
    kinds: dict[str, list[str]] = {}
    for uid, kind in RECORD_TYPE.items():
        kinds.setdefault(kind, []).append(class_name(uid))
    yield table("Directory records", ("Record", "SOP classes"), [(k, ", ".join(v)) for k, v in kinds.items()])
    keys = [(kind, key.keyword, key.type) for kind, keys in records_table.KEYS.items() for key in keys]
    yield table("Keys of directory records", ("Record", "Attribute", "Type"), keys)
