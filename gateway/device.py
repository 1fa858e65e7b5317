"""The settings of a device beside the box: one ``[[device]]`` section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway import fields
from gateway.fields import setting
from gateway.matching import IDENTIFIERS
from gateway.sop_classes import IODS


@dataclass(frozen=True, slots=True)
class Device:
    """A device beside the box. Further keys are the adapter's own options."""

    name: str = setting(..., fields.name(), "its name on this box")
    adapter: str = setting(..., fields.name(), "which adapter speaks its protocol (firmware_adapters/)")
    port: str = setting(
        "", fields.text(255), "path of its serial port or video source, best by id: /dev/serial/by-id/..., /dev/v4l/..."
    )
    trigger: str = setting("", fields.text(255), "path of a foot switch or button: /dev/input/by-id/...; empty: none")
    trigger_key: int = setting(0, fields.whole(0, 767), "its key code that starts and stops; 0 = any")
    folder: Path | None = setting(
        None, fields.folder(optional=True), "folder that it drops its files in; capture must be allowed to read it"
    )
    settle: float = setting(
        5.0, fields.number(0.1, 3600, "seconds"), "a file is taken when it did not change for so long, and is whole"
    )
    taken: str = setting(
        "leave",
        fields.choice("leave", "done", "delete"),
        'a file whose recordings are kept stays where it is, is moved to the sub-folder "done", or is deleted',
    )
    incomplete: float = setting(
        10.0, fields.number(0.1, 10080, "minutes"), "a file that is not whole after so long is reported"
    )
    earlier: str = setting(
        "hold",
        fields.choice("hold", "take"),
        "a file whose recording began before the open exam, and that names no patient: nobody's, or the exam's",
    )
    own_clock: str = setting(
        "unsynchronized",
        fields.choice("unsynchronized", "synchronized"),
        "what the time in its files is worth: synchronized = the device follows a time server, as the box does",
    )
    iod: str = setting(
        "auto",
        fields.choice("auto", *IODS),
        "SOP class: auto = the one for what the adapter measures; of an ECG 12-Lead if it fits, else General or, for "
        "long ones, Ambulatory; general-32 = an ECG without loss; of pictures Secondary Capture (capture), and each of "
        "their words stands for stills and for clips",
    )
    ambulatory_after: float = setting(
        60.0,
        fields.number(0, 10080, "minutes"),
        "auto makes an Ambulatory ECG of a longer recording; 0 = only of what does not fit General ECG",
    )
    largest: int = setting(
        0,
        fields.whole(0, 4079, "MiB"),
        "a recording with more waveform data comes in parts; 0 = as much in one as DICOM allows (4 GiB)",
    )
    refused_class: str = setting(
        "hold", fields.choice("hold", "rewrap"), "a PACS refuses the class: hold, or rewrap as a 16-bit class"
    )
    resolution: float = setting(
        0.0, fields.number(0, 1e6), "16-bit step in the channel's unit; 0 = from the signal's range; clipping is held"
    )
    derive_leads: bool = setting(True, fields.yes_no(), "add III, aVR, aVL, aVF when I and II are recorded")
    montage: tuple[str, ...] = setting(
        (),
        fields.many(fields.text(64)),
        'labels of its inputs in order, instead of the device\'s own: "Fp1", or "Fp1-F7" for one measured against '
        'another; "" leaves one as it is',
    )
    reference: str = setting(
        "", fields.text(64), "electrode that its inputs are measured against, where neither it nor the montage tells"
    )
    ground: str = setting("", fields.text(64), "electrode that it is grounded at; stands in an annotation")
    interruption: float = setting(
        1.0,
        fields.number(0, 3600, "seconds"),
        "a gap of so long ends an instance of Routine Scalp EEG, which may not be interrupted; shorter ones are padded",
    )
    sync_interval: float = setting(1.0, fields.number(0.05, 60, "seconds"), "how often samples are synced to disk")
    keep_bytes: bool = setting(True, fields.yes_no(), "keep the bytes as received too, for replay")
    silence: float = setting(5.0, fields.number(0.5, 3600, "seconds"), "no data for so long is reported")
    exam_idle: int = setting(
        1800, fields.whole(60, 86400, "seconds"), "an exam with no recording for so long is closed"
    )
    expected: float = setting(
        10.0,
        fields.number(0, 10080, "minutes"),
        "how long a recording is, if nobody says so: it begins only if there is room for that and its instance",
    )
    match: tuple[str, ...] = setting(
        ("patient_id", "accession_number", "order_number", "step_id", "barcode"),
        fields.many(fields.choice(*IDENTIFIERS)),
        "a recording that nobody chose a patient for is whose the device names by one of these; empty: it is held",
    )
    profile: str = setting("", fields.text(32, r"[A-Za-z0-9_-]*"), "input profile ([[profile]]) of a picture source")
    test: bool = setting(False, fields.yes_no(), "recordings of this device are tests, not of patients")
