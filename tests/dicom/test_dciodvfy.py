"""What dciodvfy calls an error we call an error, less its own mistakes, each argued; and it does not find what we do.

Judged are clean files of every class that dciodvfy knows, a file for every fault that the tables can express, and real
files of other makers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword
from sowing import Fault, everything, healthy
from specimens import specimen, write

from gateway.dicom.check import ERROR, Finding, check
from gateway.dicom.conditions import OVERLAY
from gateway.dicom.iods import BY_KEY

Judge = Callable[[Path], list[str]]


@dataclass(frozen=True)
class Mistake:
    """What of dciodvfy's words is not followed, and why."""

    words: str  # a regular expression
    because: str


# dciodvfy of dicom3tools 1.00~20220618 against the edition 2026b
MISTAKES = (
    Mistake(
        r"Missing attribute Type 2C Conditional Element=<Laterality>",
        "C.7.3.1: required if the body part examined is a paired structure, and no such part is named in the file; "
        "dciodvfy demands it for the class as such",
    ),
    Mistake(
        r"Missing attribute Type 2C Conditional Element=<PatientSexNeutered>",
        "A.34: the Patient Study module, where an animal's Patient's Sex Neutered stands, is U, and may be left out",
    ),
    Mistake(
        r"Only permitted when DistributionType is NAMED_PROTOCOL",
        "C.7.2.3: about Clinical Trial Protocol ID where it is; dciodvfy says it of an item that has none",
    ),
    Mistake(
        r"May only be present for NUMERIC ValueType",
        "10.2: Value Type is NUMERIC in the very item",
    ),
    Mistake(
        r"Missing attribute Type 2 Required Element=<AcquisitionContextSequence>",
        "A.34.5.3: the Acquisition Context module is U in Ambulatory ECG",
    ),
    Mistake(
        r"unsatisfied .* Element=<MultiplexGroupTimeOffset>",
        "C.10.9: required if Acquisition Time Synchronized is Y; dciodvfy looks for the Y in the item of the Waveform "
        "Sequence and never finds it",
    ),
    Mistake(
        r"(Missing|unsatisfied).* Element=<HL7InstanceIdentifier> Module=<ReferencedInstancesAndAccessMacro>",
        "10.3: required if Type of Instances is CDA; dciodvfy looks for it in the item below",
    ),
    Mistake(
        r"Missing attribute Type 1 Required Element=<RetrieveURI> Module=<SOPCommon>",
        "C.12.1: Retrieve URI is type 3 in the HL7 Structured Document Reference Sequence",
    ),
    Mistake(
        r"Referenced SOP Instance is not listed in CurrentRequestedProcedureEvidenceSequence",
        "C.17.2: the evidence sequences belong to SR documents, not to what a waveform's context refers to",
    ),
    Mistake(
        r"Missing attribute Type 1C Conditional Element=<(LongCodeValue|URNCodeValue)>",
        "8.1: one of the three ways to write a code is needed; here the first is named as missing",
    ),
    Mistake(
        r"PixelData has incorrect value length|Invalid Value Representation - Pixel Data",
        "A.34: Pixel Data is in no module of a waveform IOD; here it is named as such, by a warning",
    ),
    Mistake(
        r"LookupTableData bad .* maximum LUT Data value",
        "C.7.6.3.1.6: a lookup table need not use the largest of its values",
    ),
    Mistake(
        r"<(PALETTE COLOR|MONOCHROME[12])> for value 1 of attribute <Photometric Interpretation>",
        "C.7.6.3.1.2: it contradicts Samples per Pixel 3, and that is where the contradiction is named here",
    ),
    Mistake(
        r"Element=<FunctionalGroupPointer>",
        "C.7.6.17: required if the index points into a functional group; this one does not",
    ),
    Mistake(
        r"Missing attribute Type 1 Required Element=<PerFrameFunctionalGroupsSequence>",
        "C.7.6.16: type 1C today, absent where all frames share their functional groups",
    ),
    Mistake(
        r"Element=<(ConcatenationUID|PixelComponentOrganization|DeviceAlternateIdentifier\w+|FrameIncrementPointer)>",
        "7.4.1 of PS3.5: of two attributes that depend on each other, here the other one is named",
    ),
    Mistake(
        r"Missing .* Element=<NumberOfTableEntries>",
        "C.8.5.5.1.11: tables belong to Pixel Component Organization 2; with 3 a code sequence takes their place",
    ),
    Mistake(
        r"Module=<(EncapsulatedDocument|DocumentContentMacro)>",
        "C.24.2: no mistake, but a limit of this check: content of SR within a document is not looked at",
    ),
    Mistake(
        r"enumerated value <(0x3|NONSENSE)> .* attribute <(Samples per Pixel|Photometric Interpretation)>",
        "C.7.6.1.1.6: an icon may be in colour today; other photometric interpretations are a warning here",
    ),
    Mistake(
        r"Dicom dataset contains invalid data values",
        "sums up the lines before it",
    ),
)
CLASSES = ("twelve-lead", "general", "ambulatory", "hemodynamic", "electrophysiology", "voice")
CLASSES += tuple(key for key, iod in BY_KEY.items() if iod.limits is None)
# Of those that dciodvfy knows, a few with all the modules between them
FAULTS = everything(("hemodynamic", "ultrasound-frames", "photographic", "capture-words", "capture", "pdf"))
_NAMES = {entry[2]: entry[4] for entry in (*DicomDictionary.values(), *RepeatersDictionary.values())}


@cache
def subjects(line: str) -> frozenset[str]:
    """The keywords of all attributes that a line speaks about."""
    found = {word for word in re.findall(r"\w+", line) if tag_for_keyword(word) or word in OVERLAY}
    found |= {_NAMES[name] for name in re.findall(r"<([^<>]+)>", line) if name in _NAMES}
    for group, element in re.findall(r"\(0x(\w{4}),0x(\w{4})\)", line):
        found.add(keyword_for_tag(int(group + element, 16)) or f"({group},{element})".upper())
    if "LookupTableData" in line:
        found |= {"LUTData", "PaletteColorLookupTableData"}
    return frozenset(found)


def newer(line: str) -> bool:
    """An attribute that the standard has today and dciodvfy does not know."""
    found = re.search(r"not a recognized standard attribute - \(0x(\w{4}),0x(\w{4})\)", line)
    return found is not None and dictionary_has_tag(int(found[1] + found[2], 16))


def unexplained(lines: list[str], ours: list[Finding]) -> list[str]:
    """What neither we say nor a mistake explains."""
    said = [finding.where for finding in ours if finding.severity == ERROR]
    return [
        line
        for line in lines
        if not any(subject in where for subject in subjects(line) for where in said)
        and not newer(line)
        and not any(re.search(mistake.words, line) for mistake in MISTAKES)
    ]


@pytest.mark.parametrize("key", CLASSES)
def test_a_clean_file_is_clean_for_dciodvfy_too(key: str, tmp_path: Path, dciodvfy: Judge) -> None:
    path = write(specimen(BY_KEY[key]), tmp_path / "clean.dcm")
    assert check(path) == []
    assert unexplained(dciodvfy(path), []) == []


@pytest.mark.parametrize("module", sorted({fault.module for fault in FAULTS}))
def test_of_every_fault_we_say_what_dciodvfy_says(module: str, tmp_path: Path, dciodvfy: Judge) -> None:
    path = tmp_path / "spoiled.dcm"
    missed: dict[str, list[str]] = {}
    for fault in FAULTS:
        if fault.module == module:
            lines = unexplained(dciodvfy(spoil(fault, path)), check(path))
            missed |= {fault.name: lines} if lines else {}
    assert missed == {}


def spoil(fault: Fault, path: Path) -> Path:
    head = healthy(fault.iod)
    fault.prepare(head)
    fault.spoil(head)
    return write(head, path)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.words[:40])
def test_each_mistake_is_argued_by_section(mistake: Mistake) -> None:
    assert re.match(r"([AC]\.)?\d+[\d.]*( of PS3.5)?: |A.34: |sums up", mistake.because)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pydicom_waveform_ecg.dcm", ["Laterality", "MultiplexGroupTimeOffset", "24 channels in all groups"]),
        ("ECGToolkit_Example.dcm", ["StudyInstanceUID", "Laterality", "ReferencedWaveformChannels", "24 channels"]),
    ],
)
def test_of_real_files_we_say_what_dciodvfy_says_and_more(name: str, expected: list[str], dciodvfy: Judge) -> None:
    path = Path(os.environ.get("GATEWAY_CASES", "../shared/cases")) / "dicom" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    ours, theirs = check(path), dciodvfy(path)
    assert unexplained(theirs, ours) == []
    errors = [str(finding) for finding in ours if finding.severity == ERROR]
    for words in expected:
        assert any(words in line for line in errors)
    assert not any("channels in all" in line for line in theirs), "the channels of a 12-Lead ECG nobody else counts"
