"""TABLE of the waveform IODs: SOP class, modality, modules with usage, content constraints (PS3.3 A.34).

The rows of :data:`gateway.sop_classes.WRITTEN` are those that the gateway makes; the check knows, beside them, the
images of :mod:`gateway.dicom.image_iods`. Modules and usage are compared with the edition 2026b in the tests. Of
General 32-bit ECG, sample interpretation SL comes from Supplement 237; that it takes 1 to 4 groups of 1 to 24 channels,
and states no range of sampling frequencies, is second-hand. A new IOD is a new row.
"""

from __future__ import annotations

from gateway.dicom import conditions, leads
from gateway.dicom.definition import Iod, Limits, Use
from gateway.dicom.image_iods import ROWS as IMAGES
from gateway.sop_classes import WRITTEN

# A.34.6 and A.34.7: required if the waveforms are original
_ORIGINAL = conditions.parse("WaveformSequence.WaveformOriginality = ORIGINAL")
_ANY: tuple[int, None] = (1, None)
_WIDE = ("SS", "SL")


def _modules(
    *, enhanced: bool = False, synchronization: str = "U", context: str = "M", annotation: str = "C"
) -> tuple[Use, ...]:
    """The modules common to all waveform IODs, with the usages in which they differ."""
    return (
        Use("Patient", "M"),
        Use("Clinical Trial Subject", "U"),
        Use("General Study", "M"),
        Use("Patient Study", "U"),
        Use("Clinical Trial Study", "U"),
        Use("General Series", "M"),
        Use("Clinical Trial Series", "U"),
        Use("Synchronization", synchronization, _ORIGINAL if synchronization == "C" else None),
        Use("General Equipment", "M"),
        *([Use("Enhanced General Equipment", "M")] if enhanced else []),
        Use("Waveform Identification", "M"),
        Use("Waveform", "M"),
        Use("Acquisition Context", context),
        Use("Waveform Annotation", annotation),  # C: if there are annotations, which only they can tell
        Use("SOP Common", "M"),
    )


_ROWS = (
    Iod(
        "twelve-lead",
        "12-Lead ECG",
        WRITTEN["twelve-lead"],
        "A.34.3",
        "ECG",
        _modules(),
        Limits(
            groups=(1, 5),
            channels=(1, 13),
            channels_in_all=13,
            rate=(200.0, 1000.0),
            interpretations=("SS",),
            samples=16384,
            sources=("3001",),
            only_leads=leads.TWELVE,
        ),
        states_synchronized=False,
        settled=True,
    ),
    Iod(
        "general",
        "General ECG",
        WRITTEN["general"],
        "A.34.4",
        "ECG",
        _modules(),
        Limits(groups=(1, 4), channels=(1, 24), rate=(200.0, 1000.0), interpretations=("SS",), sources=("3001",)),
        states_synchronized=False,
        settled=True,
    ),
    Iod(
        "ambulatory",
        "Ambulatory ECG",
        WRITTEN["ambulatory"],
        "A.34.5",
        "ECG",
        _modules(context="U"),
        Limits(groups=(1, 1), channels=(1, 12), rate=(50.0, 1000.0), interpretations=("SB", "SS"), sources=("3001",)),
        states_synchronized=False,
        settled=True,
    ),
    Iod(
        "general-32",
        "General 32-bit ECG",
        WRITTEN["general-32"],
        "A.34.18",
        "ECG",
        _modules(enhanced=True),
        Limits(groups=(1, 4), channels=(1, 24), interpretations=("SL",), sources=("3001",)),
        settled=True,
    ),
    Iod(
        "hemodynamic",
        "Hemodynamic",
        WRITTEN["hemodynamic"],
        "A.34.6",
        "HD",
        _modules(synchronization="C"),
        Limits((1, 4), (1, 8), ("SS",), rate=(0.0, 400.0), sources=("3003", "3001", "3090")),
        states_synchronized=False,
    ),
    Iod(
        "electrophysiology",
        "Basic Cardiac Electrophysiology",
        WRITTEN["electrophysiology"],
        "A.34.7",
        "EPS",
        _modules(synchronization="C"),
        Limits((1, 4), _ANY, ("SS",), rate=(0.0, 20000.0), sources=("3011",)),
        states_synchronized=False,
    ),
    Iod(
        "voice",
        "Basic Voice Audio",
        WRITTEN["voice"],
        "A.34.2",
        "AU",
        _modules(annotation="U"),
        Limits((1, 1), (1, 2), ("UB", "MB", "AB"), rate=(8000.0, 8000.0), only_bits=8),
        states_synchronized=False,
    ),
    Iod(
        "audio",
        "General Audio",
        WRITTEN["audio"],
        "A.34.10",
        "AU",
        _modules(enhanced=True, synchronization="M"),
        Limits((1, 1), (1, 2), ("SB", "SS"), rate=(0.0, 44100.0), sources=("3000",)),
    ),
    Iod(
        "pulse",
        "Arterial Pulse",
        WRITTEN["pulse"],
        "A.34.8",
        "HD",
        _modules(enhanced=True, synchronization="M"),
        Limits((1, 1), (1, 1), ("SB", "SS"), rate=(0.0, 600.0), sources=("3004",)),
    ),
    Iod(
        "respiratory",
        "Respiratory",
        WRITTEN["respiratory"],
        "A.34.9",
        "RESP",
        _modules(enhanced=True, synchronization="M"),
        Limits((1, 1), (1, 1), ("SB", "SS"), rate=(0.0, 100.0), sources=("3005",)),
    ),
    Iod(
        "respiratory-channels",
        "Multi-channel Respiratory",
        WRITTEN["respiratory-channels"],
        "A.34.16",
        "RESP",
        _modules(enhanced=True, context="U"),
        Limits(_ANY, _ANY, _WIDE, sources=("3005",)),
    ),
    Iod(
        "eeg",
        "Routine Scalp EEG",
        WRITTEN["eeg"],
        "A.34.12",
        "EEG",
        _modules(enhanced=True),
        Limits((1, 1), (1, 64), _WIDE, sources=("3030",), uninterrupted=True, referenced=True),
    ),
    Iod(
        "emg",
        "Electromyogram",
        WRITTEN["emg"],
        "A.34.13",
        "EMG",
        _modules(enhanced=True, context="U"),
        Limits(_ANY, (1, 64), _WIDE, sources=("3031", "3032"), referenced=True),
    ),
    Iod(
        "eog",
        "Electrooculogram",
        WRITTEN["eog"],
        "A.34.14",
        "EOG",
        _modules(enhanced=True, context="U"),
        Limits(_ANY, _ANY, _WIDE, sources=("3033",), counts=(2, 4), referenced=True),
    ),
    Iod(
        "sleep-eeg",
        "Sleep EEG",
        WRITTEN["sleep-eeg"],
        "A.34.15",
        "EEG",
        _modules(enhanced=True, context="U"),
        Limits(_ANY, (1, 64), _WIDE, sources=("3030",), referenced=True),
    ),
    Iod(
        "position",
        "Body Position",
        WRITTEN["position"],
        "A.34.17",
        "POS",
        _modules(enhanced=True, context="U"),
        Limits(_ANY, (1, 2), ("UB", "SS"), sources=("3034",)),
    ),
)

BY_CLASS: dict[str, Iod] = {row.sop_class_uid: row for row in (*_ROWS, *IMAGES)}
BY_KEY: dict[str, Iod] = {row.key: row for row in BY_CLASS.values()}
TABLE: dict[str, Iod] = {row.key: row for row in _ROWS if row.key in WRITTEN}
