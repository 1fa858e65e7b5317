"""What may stand under [[destination]]: who it is, what it gets, when, and what frees the box; and what contradicts.

The place of a destination that gets a de-identified copy is here too: it will send another object than the spool's,
made for it alone, as a wrapping that replaces a refused one is (spool.deliveries.supersede).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gateway import fields
from gateway.fields import Source, setting

PATIENTS = ("scheduled", "entered", "unidentified", "test")
SLOWEST = 8  # kB/s: below, one block of an instance takes as long as a stuck thread
_AFTER = 900.0  # seconds


@dataclass(frozen=True, slots=True)
class Destination:
    """A PACS that gets every instance, or only what all its ``only_`` rules allow; or that stands in for another."""

    name: str = setting(..., fields.name(), "its name on this box")
    ae_title: str = setting("", fields.ae_title(optional=True), "its AE title; needed unless there is a url")
    host: str = setting("", fields.text(255, r"\S*"), "its host name or address; needed unless there is a url")
    port: int = setting(104, fields.whole(1, 65535), "its port")
    url: str = setting("", fields.url(), "where its DICOMweb services begin (STOW-RS at URL/studies)")
    plain_http: bool = setting(False, fields.yes_no(), "an http:// url, which anybody on the way can read, is meant so")
    token: str = setting("", fields.file(), "file with its bearer token, read for each request, so that it may change")
    only_classes: tuple[str, ...] = setting(
        (), fields.many(fields.sop_class()), "it gets only instances of these SOP classes; empty: of any"
    )
    only_devices: tuple[str, ...] = setting(
        (), fields.many(fields.name()), "it gets only what these devices of this box recorded; empty: any device"
    )
    only_modalities: tuple[str, ...] = setting(
        (), fields.many(fields.text(16, r"[A-Z0-9_ ]+")), 'it gets only these modalities, such as "ECG"; empty: any'
    )
    only_procedures: tuple[str, ...] = setting(
        (),
        fields.many(fields.text(81, r"[^\x00-\x1f^\\]{1,64}(\^[^\x00-\x1f^\\]{1,16})?")),
        "it gets only what was scheduled with one of these codes (Scheduled Protocol or Requested Procedure), as "
        '"VALUE" or "VALUE^SCHEME"; empty: any, and what was not scheduled',
    )
    only_patients: tuple[str, ...] = setting(
        (),
        fields.many(fields.choice(*PATIENTS)),
        "it gets only: scheduled = chosen from the worklist; entered = identity entered by hand; unidentified = an "
        "emergency; test = recordings of devices with test = true, which are in none of the others; empty: all",
    )
    policy: str = setting(
        "commitment",
        fields.choice("commitment", "verified", "stored"),
        'what frees the box: a commitment; "verified" (url only): it was asked and has it; or the answer to the store; '
        "a change concerns all that it has not kept yet, from the next start of forward on",
    )
    verified_by: str = setting(
        "index",
        fields.choice("index", "metadata", "bytes"),
        'policy "verified": it finds the instance (QIDO-RS), reads it (WADO-RS metadata), or gives back what was sent',
    )
    commitment_ae_title: str = setting(
        "", fields.text(16), "AE title that is asked for commitment, if another than ae_title"
    )
    commitment_batch: int = setting(
        100, fields.whole(0, 1000), "at most so many instances in one commitment request; 0 = one request for each exam"
    )
    commitment_timeout: int = setting(
        3600, fields.whole(5, 2592000, "seconds"), "no report for so long: a new request is made"
    )
    stands_in_for: str = setting(
        "",
        fields.text(32),
        "name of the destination whose instances it gets while that is down, and no others",
    )
    stand_in_after: float = setting(
        _AFTER,
        fields.number(0, 604800, "seconds"),
        "so long the other must have been down without a break, as forward has seen it since its start",
    )
    hours: tuple[str, ...] = setting(
        (),
        fields.many(fields.hours()),
        'it is sent to only in these hours of local time, such as "19:00-06:30"; empty: always',
    )
    bandwidth: int = setting(
        0, fields.none_or_whole(SLOWEST, 10_000_000, "kB/s"), "what is sent to it takes no more of the line; 0 = all"
    )
    timeout: float = setting(30.0, fields.number(1, 600, "seconds"), "no progress for so long is a failure")
    retry_first: float = setting(5.0, fields.number(0.1, 3600, "seconds"), "wait after the first failure; doubles")
    retry_most: float = setting(600.0, fields.number(1, 86400, "seconds"), "longest wait between attempts")
    associations: int = setting(1, fields.whole(1, 4), "associations beside each other: for a slow link or a slow PACS")
    operations: int = setting(
        8, fields.whole(1, 32), "instances on their way on one association, if the PACS grants it; 1 = do not ask"
    )
    refused_syntax: str = setting(
        "transcode",
        fields.choice("transcode", "hold", "decode"),
        "what has a transfer syntax that it refuses: send it in one that it takes, if that is without loss, or hold "
        'it; "decode": also JPEG, whose pixels another decoder may see a step otherwise under the same UID',
    )
    tls: bool = setting(False, fields.yes_no(), "TLS 1.2 or 1.3 (BCP 195); a PACS that cannot is not called")
    ca: str = setting("", fields.file(), "who signed its certificate (PEM); empty: whom this system trusts")
    certificate: str = setting("", fields.file(), "this box's own certificate and its chain (PEM)")
    key: str = setting("", fields.file(), "the certificate's key (PEM, no pass phrase), if not in the same file")
    certificate_name: str = setting(
        "", fields.text(255, r"\S*"), 'name in its certificate, if another than host; "*": any that the CA signed'
    )
    user: str = setting("", fields.text(64), "user identity that it is told (PS3.7 D.3.3.7)")
    passcode: str = setting("", fields.file(), "file with that user's passcode; needs tls")


def refuse(found: Sequence[Destination], devices: Collection[str], where: Source) -> None:
    """Raise Misuse for what has no effect, can never match, or contradicts itself: nobody shall trust in it."""
    for i, to in enumerate(found):
        for key, words, fix in (*_tls(to), *_rules(to, devices), *_stand_in(to, found)):
            raise where.wrong(("destination", i, key), words, fix)


Objection = tuple[str, str, str]  # key, what is wrong, what to do


def _tls(to: Destination) -> list[Objection]:
    needs = [
        (key, "needs TLS", "add tls = true, or take it out")
        for key in ("ca", "certificate", "key", "certificate_name", "passcode")
        if getattr(to, key) and not to.tls and not to.url.startswith("https:")
    ]
    return needs + [
        (key, f"needs the key {needed!r}", "add it, or take this out")
        for key, needed in (("key", "certificate"), ("passcode", "user"))
        if getattr(to, key) and not getattr(to, needed)
    ]


def _rules(to: Destination, devices: Collection[str]) -> list[Objection]:
    there = ", ".join(devices) or "none"
    return [
        ("only_devices", f"names {name!r}, which is no device of this box", f"devices: {there}")
        for name in to.only_devices
        if name not in devices
    ]


def _stand_in(to: Destination, found: Sequence[Destination]) -> list[Objection]:
    if not to.stands_in_for:
        useless = to.stand_in_after != _AFTER
        return [("stand_in_after", "needs the key 'stands_in_for'", "add it, or take this out")] if useless else []
    for key in ("only_classes", "only_devices", "only_modalities", "only_procedures", "only_patients"):
        if getattr(to, key):
            return [(key, "has no meaning for a stand-in: it gets whatever the other one cannot", "take it out")]
    names = {d.name: d for d in found}
    other = names.get(to.stands_in_for)
    others = ", ".join(d.name for d in found if d is not to and not d.stands_in_for) or "none"
    if other is None or other is to:
        return [("stands_in_for", f"names {to.stands_in_for!r}, which is no other destination", f"others: {others}")]
    if other.stands_in_for:
        words = f"names {other.name!r}, which is a stand-in itself"
        return [("stands_in_for", words, f"name the one that it stands in for: {other.stands_in_for}")]
    if any(d.stands_in_for == other.name for d in found[: found.index(to)]):
        return [("stands_in_for", f"gives {other.name!r} a second stand-in", "one is enough: take one out")]
    return []
