"""Every rule of the tables finds its fault: one sown for each, made from the tables themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from sowing import Fault, everything, healthy
from specimens import write

from gateway.dicom.check import Finding, check

WAVEFORMS = everything(("hemodynamic", "general-32"))
_KNOWN = {fault.name for fault in WAVEFORMS}
OTHERS = everything(("ultrasound-frames", "photographic", "endoscopic-video", "capture", "capture-words", "pdf"))
OTHERS = [fault for fault in OTHERS if fault.name not in _KNOWN]

# The rules about pixels look at all their numbers together: what a row asks for may contradict the rest of the picture.
PIXELS = {"image", "data", "modality"}


def found(head: Dataset, path: Path) -> list[Finding]:
    return check(write(head, path))


@pytest.mark.parametrize("fault", WAVEFORMS + OTHERS, ids=lambda fault: fault.name)
def test_a_fault_is_found_by_its_rule_at_its_place(fault: Fault, tmp_path: Path) -> None:
    head = healthy(fault.iod)
    fault.prepare(head)
    before = found(head, tmp_path / "before.dcm")
    errors = [f for f in before if f.severity == "error" and f.rule not in PIXELS]
    assert not errors, "the ground it is sown into is healthy"
    fault.spoil(head)
    after = found(head, tmp_path / "after.dcm")
    assert [f for f in after if (f.rule, f.where) == (fault.rule, fault.where)], "\n".join(map(str, after))
    assert not [f for f in before if (f.rule, f.where) == (fault.rule, fault.where)]


def test_there_are_more_than_150_of_them() -> None:
    assert len(WAVEFORMS) > 150
    assert len(OTHERS) > 150


@pytest.mark.parametrize(
    ("keyword", "value"), [("SynchronizationChannel", [1, 1]), ("WaveformSequence[1].TriggerTimeOffset", "5")]
)
def test_what_speaks_of_a_trigger_that_the_file_says_there_is_not_is_found(
    keyword: str, value: object, tmp_path: Path
) -> None:
    for trigger, expected in (("NO TRIGGER", [keyword]), ("EXTERNAL", [])):
        head = healthy("general-32")
        head.SynchronizationFrameOfReferenceUID, head.SynchronizationTrigger = "2.25.77", trigger
        head.AcquisitionTimeSynchronized = "N"
        setattr(head.WaveformSequence[0] if "." in keyword else head, keyword.rpartition(".")[2], value)
        wrong = [f for f in found(head, tmp_path / f"{trigger}.dcm") if f.where == keyword]
        assert [f.where for f in wrong if f.rule == "type 1C"] == expected


def test_a_version_of_no_coding_scheme_is_found(tmp_path: Path) -> None:
    head = healthy("general-32")
    code = Dataset()
    code.URNCodeValue, code.CodeMeaning, code.CodingSchemeVersion = "urn:oid:1.2.3", "meaning", "1"
    head.ProcedureCodeSequence = [code]
    (finding,) = found(head, tmp_path / "version.dcm")
    assert (finding.rule, finding.where) == ("type 1C", "ProcedureCodeSequence[1].CodingSchemeVersion")
