"""What holds for every file, whatever its class: value representations, multiplicities, text, private blocks."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from specimens import specimen, write

from gateway.dicom import finding
from gateway.dicom.check import Finding, check
from gateway.dicom.iods import BY_KEY

GATEWAY = Path(finding.__file__).parent


@pytest.fixture
def spoiled(tmp_path: Path) -> Callable[[Callable[[Dataset], object]], list[Finding]]:
    """Spoil a clean General ECG, and check it."""

    def spoil(how: Callable[[Dataset], object]) -> list[Finding]:
        head = specimen(BY_KEY["general"])
        how(head)
        return check(write(head, tmp_path / "spoiled.dcm"))

    return spoil


VALUES = {
    "AE with a backslash's worth of letters": ("SourceApplicationEntityTitle", "A" * 17),
    "AS without a unit": ("PatientAge", "040"),
    "AS in hours": ("PatientAge", "040H"),
    "CS in lower case": ("PatientSex", "f"),
    "CS too long": ("BodyPartExamined", "A" * 17),
    "DA with points": ("StudyDate", "2026.01.01"),
    "DA in month 13": ("StudyDate", "20261301"),
    "DS too long": ("PatientWeight", "70.00000000000001"),
    "DT with a T": ("AcquisitionDateTime", "20260101T120000"),
    "DT in a zone that is none": ("AcquisitionDateTime", "20260101120000+2500"),
    "IS with a fraction": ("SeriesNumber", "1.5"),
    "IS too large": ("SeriesNumber", "2147483648"),
    "LO too long": ("StudyDescription", "x" * 65),
    "LO of two lines": ("StudyDescription", "one\r\ntwo"),
    "LT too long": ("AdditionalPatientHistory", "x" * 10241),
    "PN with six components": ("PatientName", "a^b^c^d^e^f"),
    "PN with four groups": ("PatientName", "a=b=c=d"),
    "PN too long": ("PatientName", "x" * 65),
    "SH too long": ("StudyID", "x" * 17),
    "ST too long": ("InstitutionAddress", "x" * 1025),
    "TM with colons": ("StudyTime", "12:00:00"),
    "TM at 25 o'clock": ("StudyTime", "250000"),
    "UI with a leading zero": ("StudyInstanceUID", "1.02"),
    "UI too long": ("StudyInstanceUID", "1." + "2" * 63),
    "UI of letters": ("StudyInstanceUID", "1.2.x"),
    "control characters": ("PatientComments", "a\x07b"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_its_representation_forbids_is_found(
    name: str, spoiled: Callable[[Callable[[Dataset], object]], list[Finding]]
) -> None:
    keyword, value = VALUES[name]

    def put(head: Dataset) -> None:
        where = head.file_meta if keyword.startswith("Source") else head
        setattr(where, keyword, value)

    found = [f for f in spoiled(put) if f.where == keyword and f.rule == "value"]
    assert found and found[0].section.startswith("PS3.5 6.2")


def raw(before: bytes, after: bytes) -> Callable[[Path], None]:
    """Bytes that no writer would write."""

    def replace(path: Path) -> None:
        whole = path.read_bytes()
        assert whole.count(before) == 1
        path.write_bytes(whole.replace(before, after))

    return replace


RAW = {
    "a VR that is not the dictionary's": (raw(b"\x10\0\x20\0LO", b"\x10\0\x20\0SH"), "vr", "PatientID"),
    "two values where one is allowed": (raw(b"LO\x04\0P-1 ", b"LO\x04\0P\\1 "), "vm", "PatientID"),
    "a UID padded with a space": (raw(b"UI\x06\x001.2.4\0", b"UI\x06\x001.2.4 "), "value", "InstanceCreatorUID"),
    "text padded with a NUL": (raw(b"LO\x04\0P-1 ", b"LO\x04\0P-1\0"), "value", "PatientID"),
    "an odd length": (raw(b"LO\x04\0P-1 ", b"LO\x03\0P-1"), "encoding", "PatientID"),
    "DS with a comma": (raw(b"DS\x04\x0070.5", b"DS\x04\x0070,5"), "value", "PatientWeight"),
    "Latin-1 in a file that says UTF-8": (raw("Ü-1 ".encode(), b"\xdc-12 "), "character set", "StudyID"),
}


@pytest.mark.parametrize("name", RAW)
def test_what_no_writer_should_write_is_found(name: str, tmp_path: Path) -> None:
    spoil, rule, where = RAW[name]
    head = specimen(BY_KEY["general"])
    head.SpecificCharacterSet, head.StudyID, head.InstanceCreatorUID = "ISO_IR 192", "Ü-1", "1.2.4"
    head.PatientWeight = "70.5"
    path = write(head, tmp_path / "raw.dcm")
    assert check(path) == []
    spoil(path)
    found = check(path)
    assert (rule, where) in [(f.rule, f.where) for f in found], "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("ISO_IR 999", "no defined term"),
        (["ISO_IR 192", "ISO 2022 IR 87"], "must stand alone"),
        (["ISO_IR 100", "ISO 2022 IR 87"], "without code extensions"),
    ],
)
def test_a_character_set_that_nobody_can_read_is_found(terms: object, words: str, tmp_path: Path) -> None:
    head = specimen(BY_KEY["general"])
    path = write(head, tmp_path / "set.dcm")
    head.SpecificCharacterSet = terms
    try:
        write(head, path)
    except LookupError:
        pytest.skip("pydicom does not write it")
    assert any(f.rule == "character set" and words in f.message for f in check(path))


def test_good_character_sets_are_no_finding(tmp_path: Path) -> None:
    for terms, name in (
        ("ISO_IR 100", "Müller"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ):
        head = specimen(BY_KEY["general"])
        head.SpecificCharacterSet, head.PatientName = terms, name
        assert check(write(head, tmp_path / "set.dcm")) == []


def test_private_retired_and_foreign_attributes_are_warned_about_at_every_depth(tmp_path: Path) -> None:
    head = specimen(BY_KEY["general"])
    head.private_block(0x0011, "SOMEBODY", create=True).add_new(1, "LO", "x")
    head.add_new(0x00101000, "LO", "OTHER-ID")
    head.PatientAddress = "nowhere"
    head.WaveformSequence[0].ChannelDefinitionSequence[0].PatientAddress = "nowhere"
    found = check(write(head, tmp_path / "more.dcm"))
    assert {(f.severity, f.rule) for f in found} == {("warning", rule) for rule in ("private", "retired", "extended")}
    assert "WaveformSequence[1].ChannelDefinitionSequence[1].PatientAddress" in [f.where for f in found]


def test_the_rules_are_a_closed_list_for_those_who_ignore_some() -> None:
    """Every rule that the code names is declared, and none is declared that the code does not name."""
    used = set()
    for path in GATEWAY.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                rule = node.args[2]
                used |= {rule.value} if isinstance(rule, ast.Constant) else set()
    used |= {"type 1", "type 1C", "type 2", "type 2C", "enumerated value", "defined term"}  # from the tables
    used |= {"groups", "rate", "samples", "channels"}  # from the limits
    assert used == set(finding.RULES)
