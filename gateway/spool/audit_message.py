"""A line of the audit trail as a DICOM audit message (PS3.15 A.5.1 to A.5.3), in XML. Pure.

EVENTS is the table of what the box audits; a decision that DICOM has no event of its own for is an Application Activity
with an Event Type of this program's (CID 401 may be extended).
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

SCHEME = "99GATEWAY"
Coded = tuple[str, str, str]  # code, scheme, meaning


@dataclass(frozen=True, slots=True)
class Event:
    """What DICOM calls it (CID 400, 401) and what is done with its object: C, R, U, D or E (execute)."""

    code: str
    meaning: str
    action: str
    type: Coded | None = None


ACTIVITY = ("110100", "Application Activity", "E")
EVENTS = {
    "start": Event(*ACTIVITY, ("110120", "DCM", "Application Start")),
    "stop": Event(*ACTIVITY, ("110121", "DCM", "Application Stop")),
    "transfer": Event("110104", "DICOM Instances Transferred", "C"),  # A.5.3.7: the receiver did not hold them
    "export": Event("110106", "Export", "R"),
    "import": Event("110107", "Import", "C"),
    "discard": Event("110105", "DICOM Study Deleted", "D"),
    "attribute": Event("110111", "Procedure Record", "U"),
    "reattribute": Event("110111", "Procedure Record", "U"),
}
APPLICATION = ("110150", "DCM", "Application")
SOURCE = ("110153", "DCM", "Source Role ID")
DESTINATION = ("110152", "DCM", "Destination Role ID")
MEDIA = ("110154", "DCM", "Source Media")
STUDY = ("110180", "DCM", "Study Instance UID")
PATIENT = ("2", "RFC-3881", "Patient Number")
SUBJECT = ("subject", SCHEME, "What the decision is about")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Box:
    """Who reports: this box as an audit source."""

    ae_title: str
    station: str
    site: str
    process: int


@dataclass(frozen=True, slots=True)
class Peer:
    """Where instances went."""

    name: str
    ae_title: str
    host: str


@dataclass(frozen=True, slots=True)
class Study:
    """Of one patient, what a transfer is about. ``instances``: SOP Instance UID and class of each."""

    uid: str
    patient_id: str
    accession_number: str
    instances: tuple[tuple[str, str], ...]


def message(entry: dict[str, Any], box: Box, peer: Peer | None = None, study: Study | None = None) -> bytes:
    """One AuditMessage of one line (see :mod:`gateway.spool.audit`)."""
    what = str(entry["what"])
    event = EVENTS.get(what) or Event(*ACTIVITY, (what, SCHEME, what))
    root = Element("AuditMessage")
    at = datetime.fromtimestamp(float(entry["at"]), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    attributes = {"EventActionCode": event.action, "EventDateTime": at, "EventOutcomeIndicator": "0"}
    identification = SubElement(root, "EventIdentification", attributes)
    _coded(identification, "EventID", (event.code, "DCM", event.meaning))
    if event.type is not None:
        _coded(identification, "EventTypeCode", event.type)
    _participants(root, entry, box, peer)
    source = {"AuditEnterpriseSiteID": _plain(box.site)} if box.site else {}
    audit_source = SubElement(root, "AuditSourceIdentification", source | {"AuditSourceID": _plain(box.station)})
    SubElement(audit_source, "AuditSourceTypeCode", {"csd-code": "2"})  # a data acquisition device
    _objects(root, entry, study)
    xml: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return xml


def _participants(root: Element, entry: dict[str, Any], box: Box, peer: Peer | None) -> None:
    who = str(entry["who"])
    person = who not in ("", "rule")
    if person:
        SubElement(root, "ActiveParticipant", {"UserID": _plain(who), "UserIsRequestor": "true"})
    own = {"UserID": str(box.process), "AlternativeUserID": f"AETITLES={box.ae_title}"}
    here = SubElement(root, "ActiveParticipant", own | {"UserIsRequestor": "false" if person else "true"})
    _coded(here, "RoleIDCode", SOURCE if peer is not None else APPLICATION)
    if peer is None:
        return
    told = {"UserID": _plain(peer.name), "UserIsRequestor": "false"}
    if peer.ae_title:
        told["AlternativeUserID"] = f"AETITLES={peer.ae_title}"
    if peer.host:
        told |= {"NetworkAccessPointID": peer.host, "NetworkAccessPointTypeCode": _kind(peer.host)}
    _coded(SubElement(root, "ActiveParticipant", told), "RoleIDCode", DESTINATION)


def _objects(root: Element, entry: dict[str, Any], study: Study | None) -> None:
    if study is None:
        found = _object(root, str(entry["subject"]), "2", "20", SUBJECT)  # a system object, a job
        if why := str(entry.get("why") or ""):
            value = base64.b64encode(why.encode()).decode()
            SubElement(found, "ParticipantObjectDetail", {"type": "why", "value": value})
        return
    found = _object(root, study.uid, "2", "3", STUDY)
    if study.accession_number:
        SubElement(found, "Accession", {"Number": _plain(study.accession_number)})
    for sop_class, number in sorted(Counter(sop_class for _uid, sop_class in study.instances).items()):
        of_class = SubElement(found, "SOPClass", {"UID": sop_class, "NumberOfInstances": str(number)})
        for uid in sorted(uid for uid, one in study.instances if one == sop_class):
            SubElement(of_class, "Instance", {"UID": uid})
    _object(root, study.patient_id or "unknown", "1", "1", PATIENT)


def _object(root: Element, identifier: str, kind: str, role: str, of: Coded) -> Element:
    attributes = {"ParticipantObjectTypeCode": kind, "ParticipantObjectTypeCodeRole": role}
    named = {"ParticipantObjectID": _plain(identifier)} | attributes
    found = SubElement(root, "ParticipantObjectIdentification", named)
    _coded(found, "ParticipantObjectIDTypeCode", of)
    if of is SUBJECT:
        SubElement(found, "ParticipantObjectName").text = _plain(identifier)
    return found


def _coded(parent: Element, name: str, coded: Coded) -> None:
    code, scheme, meaning = coded
    SubElement(parent, name, {"csd-code": code, "codeSystemName": scheme, "originalText": meaning})


def _kind(host: str) -> str:
    """Network Access Point Type Code: 2 an IP address, 1 a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "1"
    return "2"


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return _NO_XML.sub("?", text)
