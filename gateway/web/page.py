"""The status page as HTML: a pure function of what was gathered. No outside asset, every text escaped.

It can be read without any script; ``page.js`` is asked for only when there is a button: no plain form may POST here.
The script looks for news itself, so that nothing that a person has ticked or typed is lost; else the browser does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from gateway.verbs.overview import DeviceState, ExamLine, Finding, HeldRecording, Light, Overview, Patients
from gateway.web import choosing, html
from gateway.web.html import section, table

REFRESH = 5  # seconds
_SCRIPT = '<script src="/page.js" defer></script>'
_HEADLINE = {Light.WELL: "All is well", Light.LOOK: "Please look", Light.FAILED: "Not working"}
_MOMENTS = ("wall", "fetched", "oldest")  # numbers under these keys are wall clock, seconds since the epoch
_SIGN = {Light.WELL: "✓", Light.LOOK: "!", Light.FAILED: "✕"}


def page(station: str, seen: Overview, patients: Patients, held: Sequence[HeldRecording] = ()) -> str:
    """The whole page. ``station`` is who the box is; ``held``: recordings that wait for a person."""
    sections = [
        section("Devices", _devices(seen.devices)),
        section("Worklist", choosing.worklist(patients, seen.devices, seen.at)),
        *([section("Held recordings", _held(held))] if held else []),
        section("Last exams", _exams(seen)),
        *_forward(seen.forward),
    ]
    body = "".join(sections)
    said = '<p id="said" role="status"></p>' if "<button" in body else ""  # what page.js has to say
    news = f'<meta http-equiv="refresh" content="{REFRESH}">'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"{f'<noscript>{news}</noscript>' if '<button' in body else news}"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(_HEADLINE[seen.light])}: {escape(station)}</title>"
        '<link rel="stylesheet" href="/page.css">'
        f"{_SCRIPT if '<button' in body else ''}</head><body>"
        f"<header><h1>{escape(station)}</h1><time>{html.clock(seen.at)}</time></header>"
        f'<main data-refresh="{REFRESH}">{_top(seen)}{said}{body}</main>'
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


def _devices(devices: Sequence[DeviceState]) -> str:
    rows = [(d.name, d.adapter, _doing(d), str((d.answer or {}).get("exam") or "-")) for d in devices]
    nothing = "No device is configured: add a [[device]] to the configuration file."
    return table(("Device", "Adapter", "State", "Exam"), rows, nothing) + "".join(map(_triggers, devices))


def _triggers(device: DeviceState) -> str:
    """What a foot switch would do, for an image source: its stills and clips are taken while somebody looks."""
    if device.answer is None or not device.answer.get("takes"):
        return ""
    words = {"": "Stop"} if device.recording else {"still": "Take a still", "clip": "Start a clip"}
    does = {"post": "/device/trigger", "name": device.name}
    buttons = " ".join(html.button(word, does | {"takes": takes}) for takes, word in words.items())
    return f"<p>{escape(device.name)}: {buttons}</p>"


def _doing(device: DeviceState) -> str:
    if device.answer is None:
        return "capture is not running"
    if device.recording:
        seconds = device.answer.get("seconds")
        return "recording" + (f", {float(seconds):.0f} s" if isinstance(seconds, (int, float)) else "")
    return str(device.answer.get("state") or "ready")


def _held(held: Sequence[HeldRecording]) -> str:
    rows = [(h.recording, h.device, h.words, _give("Of the chosen step", h.recording)) for h in held]
    return table(("Recording", "Device", "Why it is held", ""), rows, "")


def _give(words: str, subject: str, *, grave: bool = False) -> str:
    return html.button(words, {"do": "give", "subject": subject}, grave=grave)


def _exams(seen: Overview) -> str:
    rows = [(e.exam, html.clock(e.opened), e.state, e.how, ", ".join(e.devices), _on_exam(e)) for e in seen.exams]
    return table(("Exam", "Opened", "State", "Patient", "Devices", ""), rows, "No exam yet.")


def _on_exam(line: ExamLine) -> str:
    """What can be done about it: end it, give it to somebody, or, once it is closed, to somebody else."""
    if line.how == "nobody":
        return _give("Of the chosen step", line.exam)
    if line.state in ("open", "interrupted"):
        return html.button("End the exam", {"do": "stop", "exam": line.exam})
    return _give("Wrong patient", line.exam, grave=True)


def _forward(answer: dict[str, Any] | None) -> Iterable[str]:
    """What forward says of itself, part by part, in its own words: queue, destinations, media, clock, RIS."""
    for name, part in (answer or {}).items():
        if name in ("well", "words", "troubles", "problem", "fix") or part is None:
            continue
        if name == "media":
            yield section("Media", _media(part))
            continue
        yield section(name.upper() if name == "ris" else name.capitalize(), _part(part))


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
    found = table(head, rows, "No medium is there.")
    for one in part.get("sticks", ()):
        name, called = str(one["name"]), str(one["label"] or one["serial"] or "no label")
        button = ""
        if one["state"] == "asked":
            button = " " + html.button("Use this stick", {"post": "/media/allow", "name": name})
        found += f"<p>Stick {escape(name)} ({escape(called)}): {escape(str(one['words']))}{button}</p>"
    waits = part.get("QUEUED", 0)
    return found + f'<p class="note">{waits or "No"} instances wait to be copied.</p>'


def _part(part: Any) -> str:
    if isinstance(part, dict):
        part = [part]
    if isinstance(part, list) and all(isinstance(entry, dict) for entry in part):
        head = list(dict.fromkeys(key for entry in part for key in entry))
        rows = [[_shown(entry.get(key), key) for key in head] for entry in part]
        return table([_word(key) for key in head], rows, "None is configured.")
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
        return html.clock(value) if value else "-"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
