"""A RIS that is careless with words holds nobody's recording; what identifies somebody is never touched."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pydicom
import pytest
from acquisitions import ITEM, Recording, an_exam, heartbeat, settings_of

from gateway.dicom import mapping
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap

LONG = "An electrocardiogram at rest,\r\nwith twelve leads, for the ward where he lay before\t"
MENDED = "An electrocardiogram at rest, with twelve leads, for the ward wh"


@pytest.fixture
def sloppy() -> dict[str, Any]:
    item = copy.deepcopy(ITEM)
    code = item["00321064"]["Value"][0]
    step = item["00400100"]["Value"][0]
    item["00321060"]["Value"] = step["00400007"]["Value"] = [LONG]
    code["00080104"]["Value"] = [LONG]
    code["0008010F"] = {"vr": "CS", "Value": ["3001"]}
    code["00080103"] = {"vr": "SH"}
    return item


def test_its_words_are_mended_and_conform(sloppy: dict[str, Any], tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(heartbeat(5000, 8)).folder(tmp_path / "acq")
    (made,) = wrap(folder, an_exam(item=sloppy), settings_of(tmp_path), out, None)
    assert [f for f in check(Path(made.path)) if f.severity == "error"] == []
    found = pydicom.dcmread(made.path)
    request = found.RequestAttributesSequence[0]
    assert found.StudyDescription == request.RequestedProcedureDescription == MENDED
    assert request.ScheduledProcedureStepDescription == MENDED
    (code,) = found.ProcedureCodeSequence
    assert (code.CodeValue, code.CodeMeaning) == ("ECG12", MENDED)
    assert "ContextIdentifier" not in code
    assert "CodingSchemeVersion" not in code


def test_the_step_reports_the_same_words(sloppy: dict[str, Any]) -> None:
    reported = mapping.to_mpps(an_exam(item=sloppy))
    assert reported.PerformedProcedureStepDescription == MENDED
    assert reported.ScheduledStepAttributesSequence[0].RequestedProcedureDescription == MENDED


@pytest.mark.parametrize(("tag", "value"), [("00100020", "PID\n1"), ("00080050", "A" * 17)])
def test_what_identifies_somebody_is_left_as_it_is_for_a_person(tag: str, value: str) -> None:
    item = ITEM | {tag: {"vr": ITEM[tag]["vr"], "Value": [value]}}
    assert mapping.to_instance(an_exam(item=item))[tag].value == value
