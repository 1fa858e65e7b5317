"""TABLE of reasons for which a procedure step is discontinued (PS3.16 CID 9300), by the word a person gives."""

from __future__ import annotations

from gateway.errors import Misuse
from gateway.model import Code

TABLE = {
    "doctor": Code("110500", "DCM", "Doctor canceled procedure"),
    "equipment": Code("110501", "DCM", "Equipment failure"),
    "wrong-procedure": Code("110502", "DCM", "Incorrect procedure ordered"),
    "allergic": Code("110503", "DCM", "Patient allergic to media/contrast"),
    "died": Code("110504", "DCM", "Patient died"),
    "refused": Code("110505", "DCM", "Patient refused to continue procedure"),
    "taken-away": Code("110506", "DCM", "Patient taken for treatment or surgery"),
    "no-show": Code("110507", "DCM", "Patient did not arrive"),
    "pregnant": Code("110508", "DCM", "Patient pregnant"),
    "charging": Code("110509", "DCM", "Change of procedure for correct charging"),
    "duplicate": Code("110510", "DCM", "Duplicate order"),
    "ward": Code("110511", "DCM", "Nursing unit cancel"),
    "wrong-side": Code("110512", "DCM", "Incorrect side ordered"),
    "unspecified": Code("110513", "DCM", "Discontinued for unspecified reason"),
    "wrong-entry": Code("110514", "DCM", "Incorrect worklist entry selected"),
    "condition": Code("110515", "DCM", "Patient condition prevented continuing"),
    "equipment-change": Code("110516", "DCM", "Equipment change"),
}
UNSPECIFIED = TABLE["unspecified"]
WRONG_ENTRY = TABLE["wrong-entry"]
EQUIPMENT = TABLE["equipment"]


def reason(word: str) -> Code:
    """Raises Misuse, naming the words there are, for an unknown one."""
    if word not in TABLE:
        raise Misuse(f"unknown reason {word!r}", "known: " + ", ".join(TABLE))
    return TABLE[word]
