"""Where a person chooses whose an exam is: the worklist with its boxes to tick, the bar code field, the devices.

Several steps of one patient may be ticked: they become one exam (group case). What is ticked is sent with the patient
and study that were seen; if the RIS has changed them meanwhile, nothing starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from gateway.step import ScheduledStep
from gateway.verbs.overview import DeviceState, Patients
from gateway.web import html

MOST_STEPS = 200
_HEAD = ("", "Scheduled", "Patient", "ID", "Born", "Procedure", "Accession", "Step", "Lacks")


def worklist(patients: Patients, devices: Sequence[DeviceState], at: float) -> str:
    """The section's body. ``at``: now, for the age of what is kept."""
    if patients.problem:
        return f'<p class="none">{escape(patients.problem)}</p>{_start(devices)}'
    steps = patients.steps[:MOST_STEPS]
    nothing = "Nothing is scheduled." if patients.fetched else "No worklist has been fetched yet."
    rows = [tuple(_row(source, step)) for source, step in steps]
    notes = [f"Fetched from {name} {html.age(at - when)} ago" for name, when in sorted(patients.fetched.items())]
    if left := len(patients.steps) - len(steps):
        notes.append(f"{left} more not shown: a bar code finds them")
    note = f'<p class="note">{escape(". ".join(notes))}.</p>' if notes else ""
    field = _BARCODE if steps else ""
    return f"{field}{html.table(_HEAD, rows, nothing)}{note}{_start(devices)}"


_BARCODE = (
    '<p><label>Bar code <input id="barcode" type="text" maxlength="64" autocomplete="off" spellcheck="false" autofocus>'
    "</label></p>"
)


def _row(source: str, step: ScheduledStep) -> Iterator[str]:
    """An item that lacks something is shown with what; one that lacks its patient cannot be chosen."""
    name = html.person(step.patient_name)
    lacks = [word for word in step.missing if word.startswith("Patient") or word.endswith("Step ID")]
    seen = {"ris": source, "patient": step.patient_id, "study": step.study_uid}
    yield html.checkbox("step", step.step_id, seen, label=f"{name}, {step.procedure}", off=bool(lacks))
    yield from (html.scheduled(step.start), name, step.patient_id, html.date(step.birth_date), step.procedure)
    yield from (step.accession_number, step.step_id, ", ".join(step.missing))


def _start(devices: Sequence[DeviceState]) -> str:
    if not devices:
        return ""
    one = len(devices) == 1
    boxes = "".join(
        f"<label>{html.checkbox('device', d.name, {}, label=d.name, on=one)} {escape(d.name)}</label> " for d in devices
    )
    start = html.button("Start the exam", {"do": "start"})
    emergency = html.button("Emergency: no name yet", {"do": "emergency"})
    return f'<p class="start">Record with {boxes}{start} {emergency}</p>'
