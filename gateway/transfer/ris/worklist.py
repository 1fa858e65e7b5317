"""The modality worklist, asked with C-FIND (PS3.4 annex K, IHE RAD-5)."""

from __future__ import annotations

import json
import logging
import math
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydicom import Dataset
from pydicom.charset import python_encoding

from gateway.clock import EARLIEST_CREDIBLE
from gateway.settings import Box, Ris
from gateway.step import ScheduledStep
from gateway.transfer import dataset, names
from gateway.transfer.association import dimse
from gateway.transfer.association.dimse import Field
from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.calling import outcomes, syntaxes
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.calling.requestor import Requestor

log = logging.getLogger(__name__)

FIND = "1.2.840.10008.5.1.4.31"
AFTER_CANCEL = 1000  # answers a RIS may still have on the way when we cancel
UTF_8 = "ISO_IR 192"
_ASCII_ONLY = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
# Sets that need an escape sequence, and are without Latin letters beyond ASCII but for those of Pinyin: what pydicom
# reads as such a letter under them is a text without its escape sequence.
_ESCAPED = frozenset({"ISO 2022 IR 58", "ISO 2022 IR 87", "ISO 2022 IR 149"})
_PINYIN = "àáèéêìíòóùúü"
_LEFT_BY_PYDICOM = "\\u001b$)A"  # the escape sequence of GB 2312, which pydicom (3.0) decodes by and leaves in the text

# Return keys of RAD-5 (IHE RAD TF-2 table 4.5-3) by keyword; a tuple names the keys of a sequence's item.
KEYS: dict[str, tuple[str, ...] | None] = {
    "AccessionNumber": None,
    "ReferringPhysicianName": None,
    "ReferencedStudySequence": ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID"),
    "ReferencedPatientSequence": ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID"),
    "PatientName": None,
    "PatientID": None,
    "IssuerOfPatientID": None,
    "PatientBirthDate": None,
    "PatientSex": None,
    "PatientSize": None,
    "PatientWeight": None,
    "MedicalAlerts": None,
    "Allergies": None,
    "PregnancyStatus": None,
    "StudyInstanceUID": None,
    "RequestingPhysician": None,
    "RequestedProcedureDescription": None,
    "RequestedProcedureCodeSequence": ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning"),
    "PlacerOrderNumberImagingServiceRequest": None,
    "FillerOrderNumberImagingServiceRequest": None,
    "AdmissionID": None,
    "SpecialNeeds": None,
    "CurrentPatientLocation": None,
    "PatientState": None,
    "RequestedProcedureID": None,
    "RequestedProcedurePriority": None,
    "PatientTransportArrangements": None,
    "ConfidentialityConstraintOnPatientDataDescription": None,
}
STEP_KEYS = (
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledStationName",
    "ScheduledProcedureStepLocation",
    "ScheduledProcedureStepID",
)
# The keys of a patient-based query (IHE RAD-5), alone or together: as a person says them, and as find() does.
PATIENT = {
    "patient": "patient_id",
    "name": "patient_name",
    "accession": "accession_number",
    "procedure": "requested_procedure_id",
}
PROTOCOL_KEYS = ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning")


def broad(box: Box, ris: Ris) -> dict[str, Any]:
    """Arguments of :func:`find` for today's worklist of this box.

    A clock that is plainly wrong (no battery, no NTP yet) names no day: better too many items than none.
    """
    now = time.time()
    return _limits(ris) | {
        "start_date": time.strftime("%Y%m%d", time.localtime(now)) if now >= EARLIEST_CREDIBLE else "",
        "modality": ris.modality,
        "station": "" if ris.any_station else box.ae_title,
    }


def about_patient(ris: Ris, asked: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of :func:`find` for what is scheduled for one patient, whenever and wherever: keys of :data:`PATIENT`.

    The modality stays a key: a step of another one could not be performed here.
    """
    return _limits(ris) | {"modality": ris.modality, **{PATIENT[name]: value for name, value in asked.items()}}


def _limits(ris: Ris) -> dict[str, Any]:
    return {"most": ris.most, "character_set": ris.character_set, "within": ris.longest}


def query(peer: Peer, **keys: Any) -> tuple[ScheduledStep, ...]:
    """All that :func:`find` gives, at once."""
    return tuple(find(peer, **keys))


def find(
    peer: Peer,
    *,
    start_date: str = "",
    modality: str = "",
    station: str = "",
    patient_name: str = "",
    patient_id: str = "",
    accession_number: str = "",
    requested_procedure_id: str = "",
    most: int = 500,
    character_set: str = "",
    within: float = math.inf,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[ScheduledStep]:
    """The scheduled steps that match all given keys, at most ``most`` of them, in the RIS's order, as they come.

    Items come as DICOM JSON (PS3.18 F) with text in Unicode, whatever their character set was (``character_set``
    where they do not say); an item that lacks attributes is kept as it is. ``within``: seconds for the whole answer;
    ``beat`` is called for each item. Raises Failed (Retry) when the RIS cannot be reached or takes longer, Held when
    it refuses.
    """
    patient = {
        "PatientName": patient_name,
        "PatientID": patient_id,
        "AccessionNumber": accession_number,
        "RequestedProcedureID": requested_procedure_id,
    }
    step = {
        "ScheduledProcedureStepStartDate": start_date,
        "Modality": modality,
        "ScheduledStationAETitle": station,
    }
    with Requestor(peer, syntaxes.pairs(FIND)) as requestor:
        context = syntaxes.context(requestor, FIND)
        if context is None:
            raise outcomes.error(requestor.refusal(FIND, names.IMPLICIT))
        for data in _find(requestor, context, identifier(patient, step), most, time.monotonic() + within):
            beat()
            yield from _step(peer, data, context[1], character_set)


def identifier(patient: dict[str, str], step: dict[str, str]) -> Dataset:
    """The query: all return keys, and the given matching keys (empty ones match everything)."""
    asked = Dataset()
    for keyword, inner in KEYS.items():
        setattr(asked, keyword, patient.get(keyword) or None if inner is None else [_item(inner, {})])
    scheduled = _item(STEP_KEYS, step)
    scheduled.ScheduledProtocolCodeSequence = [_item(PROTOCOL_KEYS, {})]
    asked.ScheduledProcedureStepSequence = [scheduled]
    if not all(value.isascii() for value in (*patient.values(), *step.values())):
        asked.SpecificCharacterSet = UTF_8
    return asked


def _item(keywords: tuple[str, ...], values: dict[str, str]) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        setattr(item, keyword, values.get(keyword) or None)
    return item


def _find(
    requestor: Requestor, context: tuple[int, str], asked: Dataset, most: int, deadline: float
) -> Iterator[bytes]:
    """The identifiers of the answers, encoded. What is on its way after C-CANCEL is waited for and dropped."""
    context_id, syntax = context
    message_id = requestor.next_id()
    requestor.send(context_id, dimse.request(Field.C_FIND, message_id, FIND, data=True), dataset.encode(asked, syntax))
    for count in range(most + AFTER_CANCEL):
        response = requestor.response(message_id)
        if response.status not in dimse.PENDING:
            outcome = outcomes.of_status(outcomes.WORKLIST, response.status, requestor.peer, response.comment)
            if not outcome.good:
                raise outcomes.error(outcome)
            return
        if time.monotonic() > deadline:
            requestor.send(context_id, dimse.cancel(message_id))
            words = f"{requestor.peer} takes too long for its worklist: {count + 1} items came in the time it has"
            raise outcomes.error(Outcome("retry", "slow", words))
        if count < most:
            yield response.data or b""
        if count + 1 == most:
            log.warning("%s has %d worklist items or more; those beyond are left out", requestor.peer, most)
            requestor.send(context_id, dimse.cancel(message_id))
    raise outcomes.error(outcomes.violated(requestor.peer, "it goes on sending worklist items after C-CANCEL"))


def _step(peer: Peer, data: bytes, syntax: str, character_set: str) -> list[ScheduledStep]:
    """The answer's item; one that cannot be read at all is left out with a warning, the others stay."""
    try:
        item = dataset.decode(data, syntax)
        if character_set and "SpecificCharacterSet" not in item:
            assumed = Dataset()
            assumed.SpecificCharacterSet = character_set
            item = dataset.decode(dataset.encode(assumed, syntax) + data, syntax)
        found, fault = to_unicode(item)
    except ProtocolError as error:
        log.warning("%s: a worklist item is left out: %s", peer, error.message)
        return []
    if fault:
        log.warning("%s: a worklist item is shown without the text that cannot be read: %s", peer, fault)
    return [ScheduledStep(found)]


def to_unicode(item: Dataset) -> tuple[dict[str, Any], str]:
    """The item as DICOM JSON; text is decoded, so its character set is now UTF-8 (PS3.18 F.2).

    Text that is not in the character set that the item declares is taken out, and why is said beside: pydicom would
    go on with replaced or guessed letters, and a damaged name must not meet a patient. Such an item stays visible as
    one that lacks its name. Raises ProtocolError for an item that cannot be decoded at all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's words about odd values mean nothing to a biomed engineer
        try:
            data: dict[str, Any] = item.to_json_dict(suppress_invalid_tags=True)
        except Exception as error:  # broken text or numbers, in many kinds
            raise ProtocolError(f"an item that cannot be decoded ({type(error).__name__})") from error
    if "ISO 2022 IR 58" in set(_character_sets(data)):
        data = json.loads(json.dumps(data).replace(_LEFT_BY_PYDICOM, ""))
    if fault := _undecoded(data):
        _take_out(data)
    if "00080005" in data or not json.dumps(data, ensure_ascii=False).isascii():
        data["00080005"] = {"vr": "CS", "Value": [UTF_8]}
    return data, fault


def _take_out(data: dict[str, Any]) -> None:
    """Remove every value with text beyond ASCII, in sequences too."""
    for element in data.values():
        values = element.get("Value", [])
        if element["vr"] == "SQ":
            for inner in values:
                _take_out(inner)
        elif not "".join(_texts(values)).isascii() or "\x1b" in "".join(_texts(values)):
            del element["Value"]


def _undecoded(data: dict[str, Any]) -> str:
    """In words, without the text itself: why a text of the item is not what the RIS meant; "" if all is well."""
    text = "".join(_texts(data))
    if "\ufffd" in text or "\x1b" in text:
        return "it has text that is not in the character set it declares; the RIS must correct that"
    if text.isascii():
        return ""
    terms = {re.sub(r"^ISO[ _-]IR[ _-]", "ISO_IR ", term) for term in _character_sets(data)}
    if terms <= _ASCII_ONLY:
        return "it has text beyond ASCII but declares no character set; the RIS must declare it, or set character_set"
    if terms <= _ASCII_ONLY | _ESCAPED and any("\xc0" <= letter <= "\xff" for letter in text if letter not in _PINYIN):
        return "it has text beyond ASCII without the escape sequence that says what it is (PS3.5 6.1.2.5.3)"
    unknown = sorted(terms - python_encoding.keys())
    return f"it declares the unknown character set {unknown[0][:16]!r}" if unknown else ""


def _texts(value: Any) -> Iterator[str]:
    """All text in a part of a DICOM JSON object."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _character_sets(data: dict[str, Any]) -> Iterator[str]:
    """The terms of every Specific Character Set in the item, also in its sequences."""
    for tag, element in data.items():
        for value in element.get("Value", []):
            if tag == "00080005":
                yield value or ""
            elif element["vr"] == "SQ" and isinstance(value, dict):
                yield from _character_sets(value)
