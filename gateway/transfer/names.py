"""TABLES of what people call the SOP classes and transfer syntaxes that the gateway speaks of (PS3.6 annex A)."""

from __future__ import annotations

VERIFICATION = "1.2.840.10008.1.1"
PUSH_MODEL = "1.2.840.10008.1.20.1"  # storage commitment

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PROPOSED = (EXPLICIT, IMPLICIT)  # transfer syntaxes of everything but storage, the better first

CLASSES: dict[str, str] = {
    VERIFICATION: "Verification",
    "1.2.840.10008.5.1.4.31": "Modality Worklist",
    "1.2.840.10008.3.1.2.3.3": "Modality Performed Procedure Step",
    PUSH_MODEL: "Storage Commitment",
    "1.2.840.10008.5.1.4.1.1.9.1.1": "12-Lead ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.2": "General ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.3": "Ambulatory ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.4": "General 32-bit ECG",
}
SYNTAXES: dict[str, str] = {
    EXPLICIT: "Explicit VR Little Endian",
    IMPLICIT: "Implicit VR Little Endian",
}


def kind(sop_class_uid: str, transfer_syntax_uid: str) -> str:
    """A class in one transfer syntax, as a person reads it; what has no name here goes by its number."""
    named = CLASSES.get(sop_class_uid, "SOP class")
    return f"{named} ({sop_class_uid}, {SYNTAXES.get(transfer_syntax_uid, transfer_syntax_uid)})"
