"""A device's identifiers mean exactly one scheduled step, or nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.matching import contradicted, match
from gateway.step import ScheduledStep

ENOUGH = ("patient_id", "accession_number", "order_number", "step_id", "barcode")


def item(step: str, patient: str = "", accession: str = "", **more: str) -> dict[str, Any]:
    tags = {"procedure": "00401001", "placer": "00402016", "filler": "00402017", "bed": "00380300", "visit": "00380010"}
    texts = {"00100020": patient, "00080050": accession} | {tags[name]: text for name, text in more.items()}
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}}
    sequence = {"00400100": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": [step]}}]}}
    return name | sequence | {tag: {"vr": "LO", "Value": [text]} for tag, text in texts.items() if text}


STEPS = [
    ScheduledStep(item("S1", "0017", "ACC1", procedure="RP1", bed="W3-1", visit="V17"), "ris"),
    ScheduledStep(item("S2", "0018", "ACC2", procedure="RP2", placer="PL2", filler="FI2", bed="W3-2"), "ris"),
    ScheduledStep(item("S3", "0018", "ACC3", procedure="RP3", bed="W3-2"), "ris"),
    ScheduledStep(item("S4", "0019"), "ris"),
    ScheduledStep(item("S4", "0020"), "second"),
    ScheduledStep(item("S5", "", "ACC5"), "ris"),
    ScheduledStep(item("S6", "ACC1"), "ris"),  # a Patient ID that looks like another one's accession number
]

TABLE: list[tuple[dict[str, str], str]] = [
    ({"patient_id": "0017"}, "S1"),
    ({"patient_id": " 0017 "}, "S1"),
    ({"patient_id": "17"}, "no scheduled step"),
    ({"patient_id": "0018"}, "2 scheduled steps"),
    ({"patient_id": "0018", "accession_number": "ACC3"}, "S3"),
    ({"patient_id": "0017", "accession_number": "ACC2"}, "no scheduled step"),
    ({"patient_id": "0019", "accession_number": "ACC9"}, "no scheduled step"),  # the step has none to compare
    ({"accession_number": "ACC2"}, "S2"),
    ({"accession_number": "acc2"}, "no scheduled step"),
    ({"accession_number": ""}, "no scheduled step"),
    ({"order_number": "RP3"}, "S3"),
    ({"order_number": "PL2"}, "S2"),
    ({"order_number": "FI2"}, "S2"),
    ({"step_id": "S4"}, "2 scheduled steps"),
    ({"step_id": "S4", "patient_id": "0020"}, "S4"),
    ({"bed": "W3-1"}, "alone is not taken"),
    ({"bed": "W3-2", "patient_id": "0017"}, "no scheduled step"),
    ({"bed": "W3-2", "accession_number": "ACC2"}, "S2"),
    ({"barcode": "V17"}, "S1"),
    ({"barcode": "0017"}, "S1"),
    ({"barcode": "W3-1"}, "no scheduled step"),
    ({"barcode": "ACC1"}, "2 scheduled steps"),
    ({"accession_number": "ACC5"}, "lacks Patient ID"),
    ({}, "nothing alone"),
]


@pytest.mark.parametrize(("said", "expected"), TABLE)
def test_exactly_one_step_fits_or_none_is_taken(said: dict[str, str], expected: str) -> None:
    found = match(said, STEPS, ENOUGH)
    if expected.startswith("S"):
        assert found.step is not None
        assert found.step.step_id == expected
    else:
        assert found.step is None
        assert expected in found.words
    assert not any(text and text in found.words for text in said.values()), "no identifier goes into a log"


def test_a_kind_that_is_not_sufficient_decides_nothing() -> None:
    assert match({"patient_id": "0017"}, STEPS, ("accession_number",)).step is None
    assert match({"bed": "W3-1"}, STEPS, ("bed",)).step is STEPS[0]


def test_the_same_step_twice_is_one_step_but_not_if_two_ris_have_it() -> None:
    assert match({"patient_id": "0017"}, [STEPS[0], STEPS[0]], ENOUGH).step is not None
    twin = ScheduledStep(STEPS[0].item, "second")
    assert match({"patient_id": "0017"}, [STEPS[0], twin], ENOUGH).step is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"patient_id": ["0018"]}, ()),
        ({"patient_id": ["0017"]}, ("patient_id",)),
        ({"patient_id": ["0018", "0017"]}, ("patient_id",)),
        ({"accession_number": ["ACC3"]}, ()),
        ({"accession_number": ["ACC9"], "patient_id": ["0018"]}, ("accession_number",)),
        ({"bed": ["W9"]}, ("bed",)),
        ({"barcode": ["anything"]}, ("barcode",)),
        ({}, ()),
    ],
)
def test_what_names_another_than_the_exams_steps_contradicts(
    said: dict[str, list[str]], expected: tuple[str, ...]
) -> None:
    assert contradicted(said, [STEPS[1].item, STEPS[2].item]) == expected


def test_what_the_exam_has_no_value_for_cannot_contradict() -> None:
    assert contradicted({"accession_number": ["ACC9"], "bed": ["W9"]}, [STEPS[3].item]) == ()
