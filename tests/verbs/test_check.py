"""``gateway check``: for a person at the box, and for other people's builds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.sequence import Sequence
from specimens import coded, specimen, write

from gateway import cli
from gateway.dicom.iods import BY_KEY


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write(specimen(BY_KEY["general"]), tmp_path / "clean.dcm")


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """Without study date, and with each of two groups in samples that the class does not allow."""
    head = specimen(BY_KEY["general"])
    del head.StudyDate
    group = head.WaveformSequence[0]
    group.WaveformSampleInterpretation = "US"
    head.WaveformSequence = Sequence([group, group])
    return write(head, tmp_path / "spoiled.dcm")


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """Only a warning: a lead that no other system knows."""
    head = specimen(BY_KEY["general"])
    head.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelSourceSequence = [coded("99X", "1")]
    return write(head, tmp_path / "doubtful.dcm")


def test_a_file_that_conforms_is_one_line_and_exit_code_0(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(clean)]) == 0
    assert capsys.readouterr().out == f"{clean}: conforms\n"


def test_a_finding_names_attribute_tag_path_rule_and_section(spoiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(spoiled)]) == 1
    said = capsys.readouterr().out
    assert "error: StudyDate (0008,0020): is missing [type 2, PS3.3 C.7.2.1]" in said
    assert "error: WaveformSequence[1].WaveformSampleInterpretation (5400,1006): is US; General ECG allows SS" in said


def test_what_is_alike_is_said_once(spoiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["check", str(spoiled)])
    said = capsys.readouterr().out
    assert said.count("General ECG allows SS") == 1
    assert "(and 1 alike)" in said


def test_json_is_one_object_with_every_finding(clean: Path, spoiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--json", str(clean), str(spoiled)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [file["file"] for file in said["files"]] == [str(clean), str(spoiled)]
    assert said["files"][0]["findings"] == []
    assert said["errors"] == said["files"][1]["errors"] > 2
    dates = [f for f in said["files"][1]["findings"] if f["where"] == "StudyDate"]
    assert dates[0] == {
        "severity": "error",
        "where": "StudyDate",
        "tag": "(0008,0020)",
        "rule": "type 2",
        "section": "PS3.3 C.7.2.1",
        "message": "is missing",
    }


def test_a_folder_means_every_dicom_file_in_it(
    clean: Path, spoiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deeper").mkdir()
    write(specimen(BY_KEY["eeg"]), tmp_path / "deeper" / "eeg")
    (tmp_path / "notes.txt").write_text("no DICOM")
    assert cli.main(["check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "notes.txt" not in said
    assert "deeper/eeg: conforms" in said
    assert said.splitlines()[-1].startswith("3 files: ")


def test_an_empty_folder_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(tmp_path)]) == 0
    assert "no DICOM file" in capsys.readouterr().err
    assert cli.main(["check", "--json", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"files": [], "errors": 0, "warnings": 0}


def test_warnings_fail_a_build_only_if_it_asks_for_that(doubtful: Path) -> None:
    assert cli.main(["check", str(doubtful)]) == 0
    assert cli.main(["check", "--strict", str(doubtful)]) == 1
    assert cli.main(["check", "--strict", "--ignore", "context group", str(doubtful)]) == 0


def test_a_rule_or_a_file_that_is_none_is_misuse(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--ignore", "all", str(clean)]) == 2
    assert "'all' is no rule" in capsys.readouterr().err
    assert cli.main(["check", str(clean.with_name("none.dcm"))]) == 2


def test_a_named_file_that_is_no_dicom_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letter = tmp_path / "letter"
    letter.write_text("Dear Sir")
    assert cli.main(["check", str(letter)]) == 1
    assert "no readable DICOM file" in capsys.readouterr().out
