"""The status page as HTML: a pure function of what was gathered. No outside asset, every text escaped.

It can be read without any script; ``page.js`` is asked for only when there is a button: no plain form may POST here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

from gateway.verbs.overview import DeviceState, Finding, Light, Overview, Patients

REFRESH = 5  # seconds
MOST_STEPS = 200
_SCRIPT = '<script src="/page.js" defer></script>'
_HEADLINE = {Light.WELL: "All is well", Light.LOOK: "Please look", Light.FAILED: "Not working"}
_MOMENTS = ("wall", "fetched", "oldest")  # numbers under these keys are wall clock, seconds since the epoch
_SIGN = {Light.WELL: "✓", Light.LOOK: "!", Light.FAILED: "✕"}


def page(station: str, seen: Overview, patients: Patients) -> str:
    """The whole page. ``station`` is who the box is."""
    sections = [
        _section("Devices", _devices(seen.devices)),
        _section("Worklist", _worklist(patients, seen.at)),
        _section("Last exams", _exams(seen)),
        *_forward(seen.forward),
    ]
    body = "".join(sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{REFRESH}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(_HEADLINE[seen.light])}: {escape(station)}</title>"
        '<link rel="stylesheet" href="/page.css">'
        f"{_SCRIPT if '<button' in body else ''}</head><body>"
        f"<header><h1>{escape(station)}</h1><time>{_clock(seen.at)}</time></header>"
        f"<main>{_top(seen)}{body}</main>"
        "<footer>Modality gateway. Not a certified medical device.</footer></body></html>"
    )


def _top(seen: Overview) -> str:
    """The one line that says whether all is well, in a word, a sign and a colour; below it, why not."""
    line = f'<p class="light"><b>{_SIGN[seen.light]}</b> {escape(_HEADLINE[seen.light])}</p>'
    return f'<section class="top {seen.light.value}" role="status">{line}{_findings(seen.findings)}</section>'


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    items = "".join(
        f'<li class="{f.light.value}">{escape(f.words)}{f"<code>{escape(f.fix)}</code>" if f.fix else ""}</li>'
        for f in findings
    )
    return f"<ul>{items}</ul>"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> str:
    """``rows`` are escaped here; a row's cells follow ``head``."""
    lines = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    if not lines:
        return f'<p class="none">{escape(nothing)}</p>'
    top = "".join(f"<th>{escape(word)}</th>" for word in head)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _devices(devices: Sequence[DeviceState]) -> str:
    rows = [(d.name, d.adapter, _doing(d), str((d.answer or {}).get("exam") or "-")) for d in devices]
    nothing = "No device is configured: add a [[device]] to the configuration file."
    return _table(("Device", "Adapter", "State", "Exam"), rows, nothing) + "".join(map(_triggers, devices))


def _triggers(device: DeviceState) -> str:
    """What a foot switch would do, for an image source: its stills and clips are taken while somebody looks."""
    if device.answer is None or not device.answer.get("takes"):
        return ""
    name = escape(device.name, quote=True)
    words = {"": "Stop"} if device.recording else {"still": "Take a still", "clip": "Start a clip"}
    buttons = (
        f'<button data-post="/device/trigger" data-name="{name}" data-takes="{takes}">{word}</button>'
        for takes, word in words.items()
    )
    return f"<p>{name}: {' '.join(buttons)}</p>"


def _doing(device: DeviceState) -> str:
    if device.answer is None:
        return "capture is not running"
    if device.recording:
        seconds = device.answer.get("seconds")
        return "recording" + (f", {float(seconds):.0f} s" if isinstance(seconds, (int, float)) else "")
    return str(device.answer.get("state") or "ready")


def _worklist(patients: Patients, at: float) -> str:
    if patients.problem:
        return f'<p class="none">{escape(patients.problem)}</p>'
    rows = [
        (
            _scheduled(s.start),
            s.patient_name.replace("^", ", ", 1).replace("^", " ").strip(", "),
            s.patient_id,
            _date(s.birth_date),
            s.procedure,
            s.accession_number,
            s.step_id,
        )
        for _source, s in patients.steps[:MOST_STEPS]
    ]
    head = ("Scheduled", "Patient", "ID", "Born", "Procedure", "Accession", "Step")
    ages = ", ".join(f"{name}: {_age(at - fetched)} ago" for name, fetched in sorted(patients.fetched.items()))
    left = len(patients.steps) - len(rows)
    note = ". ".join(x for x in (f"Fetched from {ages}" if ages else "", f"{left} more not shown" if left else "") if x)
    nothing = "Nothing is scheduled." if patients.fetched else "No worklist has been fetched yet."
    return _table(head, rows, nothing) + (f'<p class="note">{escape(note)}.</p>' if note else "")


def _exams(seen: Overview) -> str:
    rows = [(e.exam, _clock(e.opened), e.state, e.how, ", ".join(e.devices)) for e in seen.exams]
    return _table(("Exam", "Opened", "State", "Patient", "Devices"), rows, "No exam yet.")


def _forward(answer: dict[str, Any] | None) -> Iterable[str]:
    """What forward says of itself, part by part, in its own words: queue, destinations, media, clock, RIS."""
    for name, part in (answer or {}).items():
        if name in ("well", "words", "troubles", "problem", "fix") or part is None:
            continue
        if name == "media":
            yield _section("Media", _media(part))
            continue
        yield _section(name.upper() if name == "ris" else name.capitalize(), _part(part))


def _media(part: dict[str, Any]) -> str:
    """What is there, what may be taken out, what waits; and the sticks that a person must answer for."""
    rows = [
        (
            str(one["name"]),
            str(one["label"] or one["serial"] or "-"),
            str(one["file_set_id"] or "-"),
            str(one["instances"]),
            f"{one['free']} MiB",
            str(one["words"]),
        )
        for one in part.get("present", ())
    ]
    head = ("Medium", "Label", "File-set", "Instances", "Free", "State")
    found = _table(head, rows, "No medium is there.")
    for one in part.get("sticks", ()):
        name, called = str(one["name"]), str(one["label"] or one["serial"] or "no label")
        button = ""
        if one["state"] == "asked":
            button = f' <button data-post="/media/allow" data-name="{escape(name, quote=True)}">Use this stick</button>'
        found += f"<p>Stick {escape(name)} ({escape(called)}): {escape(str(one['words']))}{button}</p>"
    waits = part.get("QUEUED", 0)
    return found + f'<p class="note">{waits or "No"} instances wait to be copied.</p>'


def _part(part: Any) -> str:
    if isinstance(part, dict):
        part = [part]
    if isinstance(part, list) and all(isinstance(entry, dict) for entry in part):
        head = list(dict.fromkeys(key for entry in part for key in entry))
        rows = [[_shown(entry.get(key), key) for key in head] for entry in part]
        return _table([_word(key) for key in head], rows, "None is configured.")
    return f"<p>{escape(_shown(part))}</p>"


def _word(key: str) -> str:
    return key.replace("_", " ").capitalize() if key.islower() else key


def _shown(value: Any, key: str = "") -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{_word(k).lower()}: {_shown(v, k)}" for k, v in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "-"
    if key in _MOMENTS and isinstance(value, (int, float)):
        return _clock(value) if value else "-"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)


def _clock(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))


def _age(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )


def _scheduled(start: str) -> str:
    """``YYYYMMDD HHMM…`` (DA and TM) for people; anything else as it came."""
    for form, shown in (("%Y%m%d %H%M%S", "%d %b %H:%M"), ("%Y%m%d %H%M", "%d %b %H:%M"), ("%Y%m%d", "%d %b")):
        try:
            return datetime.strptime(start, form).strftime(shown)
        except ValueError:
            continue
    return start or "-"


def _date(value: str) -> str:
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value or "-"
