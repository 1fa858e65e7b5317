"""An acquisition becomes an instance: right class, right patient, right words, the same bytes each time."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from acquisitions import EIGHT, ITEM, Recording, an_exam, heartbeat, named, settings_of

from gateway import fsops, places
from gateway.dicom.check import check
from gateway.dicom.iods import TABLE
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Gap, Marker
from gateway.model import Attributed, Kind
from gateway.settings import ClockSettings
from gateway.sop_classes import BY_KIND

RHYTHM = heartbeat(5000, 8)


def wrapped(recording: Recording, tmp_path: Path, out: Path, iod: str | None = None, **given) -> Path:
    exam = given.pop("exam", None) or an_exam()
    folder = tmp_path / "acq"
    if not folder.exists():
        recording.folder(folder)
    (reference,) = wrap(folder, exam, settings_of(tmp_path, **given), out, iod)
    path = Path(reference.path)
    assert path == out / f"{reference.sop_instance_uid}.dcm"
    assert path.stat().st_size == reference.size
    return path


@pytest.mark.parametrize("iod", ["twelve-lead", "general", "ambulatory"])
@pytest.mark.parametrize("trusted", [True, False], ids=["clock trusted", "clock not trusted"])
def test_dciodvfy_finds_no_error(
    iod: str, trusted: bool, tmp_path: Path, out: Path, dciodvfy: Callable[[Path], list[str]]
) -> None:
    recording = Recording(trusted=trusted, interrupted=True, test=True).with_samples(RHYTHM[:2000])
    recording.events += [Gap("2 packets lost", 1002.0, 50, 0.1), Marker("event button", 1002.0, 0, 100)]
    path = wrapped(recording.with_samples(RHYTHM[2050:]), tmp_path, out, iod)
    assert dciodvfy(path) == []


@pytest.mark.parametrize("iod", BY_KIND[Kind.ECG].every)
@pytest.mark.parametrize("trusted", [True, False], ids=["clock trusted", "clock not trusted"])
def test_our_own_check_finds_nothing(iod: str, trusted: bool, tmp_path: Path, out: Path) -> None:
    path = wrapped(Recording(trusted=trusted, serial="").with_samples(RHYTHM), tmp_path, out, iod)
    assert check(path) == []


def test_eight_electrodes_become_a_twelve_lead_ecg_in_the_conventional_order(tmp_path: Path, out: Path) -> None:
    head = pydicom.dcmread(wrapped(Recording().with_samples(RHYTHM), tmp_path, out))
    channels = head.WaveformSequence[0].ChannelDefinitionSequence
    labels = [c.ChannelLabel for c in channels]
    assert head.SOPClassUID == TABLE["twelve-lead"].sop_class_uid
    assert labels == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    derived = {c.ChannelLabel for c in channels if "ChannelDerivationDescription" in c}
    assert derived == {"III", "aVR", "aVL", "aVF"}


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        (Recording().with_samples(heartbeat(16384, 8)), "twelve-lead"),
        (Recording().with_samples(heartbeat(16385, 8)), "general"),
        (Recording(labels=("II", "Respiration")).with_samples(heartbeat(900, 2)), "general"),
        (Recording(labels=("MLII", "V5")).with_samples(heartbeat(900, 2)), "general"),
        (Recording(labels=tuple(f"ch{n}" for n in range(24))).with_samples(heartbeat(900, 24)), "general"),
    ],
    ids=["as long as it may be", "longer than 12-Lead ECG allows", "respiration", "another lead", "24 channels"],
)
def test_auto_takes_12_lead_ecg_if_it_fits_and_general_ecg_otherwise(
    recording: Recording, expected: str, tmp_path: Path, out: Path
) -> None:
    path = wrapped(recording, tmp_path, out)
    assert pydicom.dcmread(path, defer_size=64).SOPClassUID == TABLE[expected].sop_class_uid


@pytest.mark.parametrize(
    ("recording", "iod", "words"),
    [
        (Recording(rate=40.0).with_samples(RHYTHM), "auto", "40 Hz, allowed are 200 to 1000 Hz"),
        (Recording(rate=40.0).with_samples(RHYTHM), "ambulatory", "40 Hz, allowed are 50 to 1000 Hz"),
        (Recording().with_samples(heartbeat(16385, 8)), "twelve-lead", "16385 samples per channel"),
        (Recording(labels=("II", "Respiration")).with_samples(heartbeat(9, 2)), "twelve-lead", "Respiration are none"),
        (Recording(labels=tuple(f"c{n}" for n in range(25))).with_samples(heartbeat(9, 25)), "auto", "25 channels"),
        (Recording(unit="furlong").with_samples(RHYTHM), "auto", "'furlong'"),
        (Recording(), "auto", "holds no samples"),
    ],
    ids=["rate", "ambulatory rate", "samples", "leads", "channels", "unit", "nothing recorded"],
)
def test_what_no_class_can_carry_is_held_with_the_limit_and_the_value(
    recording: Recording, iod: str, words: str, tmp_path: Path, out: Path
) -> None:
    with pytest.raises(Held, match=re.escape(words)):
        wrapped(recording, tmp_path, out, iod)
    assert list(out.iterdir()) == []


def test_what_nobody_calibrated_stays_beside_the_lead_and_says_so(
    tmp_path: Path, out: Path, dciodvfy: Callable[[Path], list[str]]
) -> None:
    recording = Recording(labels=("II", "Respiration"), rate=125.0, unit="1", sensitivity=1.0)
    path = wrapped(recording.with_samples(heartbeat(900, 2, counts=9000)), tmp_path, out)
    head = pydicom.dcmread(path)
    told = {tuple(n.ReferencedWaveformChannels): n.UnformattedTextValue for n in head.WaveformAnnotationSequence}
    assert told[(1, 2)] == "Respiration: not calibrated, in counts as the device gives them"
    (source,) = head.WaveformSequence[0].ChannelDefinitionSequence[1].ChannelSourceSequence
    assert source.CodeMeaning == "Respiration Waveform"
    assert dciodvfy(path) == []
    assert [finding for finding in check(path) if finding.severity == "error"] == []


def test_32_bit_takes_rates_that_16_bit_classes_refuse(tmp_path: Path, out: Path) -> None:
    path = wrapped(Recording(rate=125.0).with_samples(RHYTHM), tmp_path, out, "general-32")
    assert check(path) == []


def test_nobodys_recording_is_held_and_the_message_says_how_to_attribute_it(tmp_path: Path, out: Path) -> None:
    with pytest.raises(Held, match=r"belongs to nobody yet.*gateway exam attribute"):
        wrapped(Recording().with_samples(RHYTHM), tmp_path, out, exam=an_exam(Attributed.NOBODY, {}))


def test_another_exams_recording_is_held(tmp_path: Path, out: Path) -> None:
    with pytest.raises(Held, match="belongs to exam"):
        wrapped(Recording().with_samples(RHYTHM), tmp_path, out, exam=an_exam(exam="260101000000FFFF"))


def test_a_recording_without_end_is_held(tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(RHYTHM).folder(tmp_path / "acq")
    records = folder / places.RECORDS
    records.write_bytes(records.read_bytes()[:-10])
    with pytest.raises(Held, match="has not ended"):
        wrap(folder, an_exam(), settings_of(tmp_path), out)


def test_damaged_facts_are_held(tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(RHYTHM).folder(tmp_path / "acq")
    (folder / places.FACTS).write_text("{")
    with pytest.raises(Held, match="facts"):
        wrap(folder, an_exam(), settings_of(tmp_path), out)


def test_facts_that_name_other_channels_than_were_recorded_are_held(tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(RHYTHM).folder(tmp_path / "acq")
    facts = json.loads((folder / places.FACTS).read_text())
    facts["groups"][0]["channels"].pop()
    (folder / places.FACTS).write_text(json.dumps(facts))
    with pytest.raises(Held, match="8 channels where its facts name 7"):
        wrap(folder, an_exam(), settings_of(tmp_path), out)


def test_wrapping_twice_gives_the_same_bytes_under_the_same_name(tmp_path: Path, out: Path) -> None:
    recording = Recording().with_samples(RHYTHM)
    first = wrapped(recording, tmp_path, out)
    before = first.read_bytes()
    assert wrapped(recording, tmp_path, out) == first
    assert first.read_bytes() == before


def test_another_attribution_or_class_is_another_instance(tmp_path: Path, out: Path) -> None:
    recording = Recording().with_samples(RHYTHM)
    other = an_exam(item=named({"Alphabetic": "Somebody^Else"}))
    paths = [
        wrapped(recording, tmp_path, out),
        wrapped(recording, tmp_path, out, "general"),
        wrapped(recording, tmp_path, out, exam=other),
    ]
    assert len(set(paths)) == 3


def test_the_header_names_step_request_and_performed_step(tmp_path: Path, out: Path) -> None:
    head = pydicom.dcmread(wrapped(Recording(number=3).with_samples(RHYTHM), tmp_path, out))
    (request,) = head.RequestAttributesSequence
    assert (request.RequestedProcedureID, request.ScheduledProcedureStepID) == ("RP1", "SPS1")
    assert head.ReferencedPerformedProcedureStepSequence[0].ReferencedSOPInstanceUID == "2.25.1001"
    assert head.PerformedProcedureStepID == "260922000000AB12"
    assert (head.AccessionNumber, head.PatientID, head.StudyInstanceUID) == ("ACC1", "PID-1", "1.2.3.4.5")
    assert head.PerformedProtocolCodeSequence[0].CodeValue == "P1"
    assert head.ProcedureCodeSequence[0].CodeValue == "ECG12"
    assert head.InstanceNumber == 3
    assert (head.Manufacturer, head.DeviceSerialNumber) == ("ACME", "SN1")
    assert any(version.startswith("gateway ") for version in head.SoftwareVersions)


@pytest.mark.parametrize("how", [Attributed.MANUAL, Attributed.EMERGENCY])
def test_an_unscheduled_exam_has_no_request_and_no_invented_patient_attribute(
    how: Attributed, tmp_path: Path, out: Path
) -> None:
    item = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Unknown^Male"}]}, "00100020": ITEM["00100020"]}
    head = pydicom.dcmread(wrapped(Recording().with_samples(RHYTHM), tmp_path, out, exam=an_exam(how, item)))
    assert "RequestAttributesSequence" not in head
    assert (str(head.PatientName), head.PatientID) == ("Unknown^Male", "PID-1")
    given = {e.keyword for e in head if e.tag.group == 0x0010 and not e.is_empty}
    assert given == {"PatientName", "PatientID"}
    assert (head.PatientBirthDate, head.PatientSex, head.AccessionNumber) == ("", "", "")


@pytest.mark.parametrize(
    "name",
    [
        {"Alphabetic": "Müller^Jörg"},
        {"Alphabetic": "Ñuñez^José"},
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        {"Alphabetic": "Kim^Hie Joong", "Ideographic": "金^喜中", "Phonetic": "김^희중"},
        {"Alphabetic": "김희중"},
    ],
)
def test_names_in_every_script_arrive_unharmed(name: dict[str, str], tmp_path: Path, out: Path) -> None:
    path = wrapped(Recording().with_samples(RHYTHM), tmp_path, out, exam=an_exam(item=named(name)))
    head = pydicom.dcmread(path)
    assert head.SpecificCharacterSet == "ISO_IR 192"
    found = head.PatientName
    groups = {"Alphabetic": found.alphabetic, "Ideographic": found.ideographic, "Phonetic": found.phonetic}
    assert {k: v for k, v in groups.items() if v} == name
    assert check(path) == []


def test_an_ascii_header_declares_no_character_set(tmp_path: Path, out: Path) -> None:
    assert "SpecificCharacterSet" not in pydicom.dcmread(wrapped(Recording().with_samples(RHYTHM), tmp_path, out))


def test_a_gap_is_padding_and_an_annotation_that_says_where(tmp_path: Path, out: Path) -> None:
    recording = Recording().with_samples(RHYTHM[:1000])
    recording.events.append(Gap("cable unplugged", 1003.0, 500, 1.0))
    head = pydicom.dcmread(wrapped(recording.with_samples(RHYTHM[1500:]), tmp_path, out))
    group = head.WaveformSequence[0]
    samples = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12)
    assert group.WaveformPaddingValue == b"\x00\x80"
    assert group.NumberOfWaveformSamples == 5000
    assert set(np.flatnonzero((samples == -32768).all(axis=1))) == set(range(1000, 1500))
    (note,) = head.WaveformAnnotationSequence
    assert note.UnformattedTextValue == "Gap: cable unplugged, 1 s"
    assert list(note.ReferencedSamplePositions) == [1001, 1500]


def test_a_marker_is_an_annotation_at_its_sample(tmp_path: Path, out: Path) -> None:
    recording = Recording().with_samples(RHYTHM)
    recording.events.append(Marker("event button", 1003.0, 0, 0))
    (note,) = pydicom.dcmread(wrapped(recording, tmp_path, out)).WaveformAnnotationSequence
    assert (note.UnformattedTextValue, note.TemporalRangeType) == ("event button", "POINT")
    assert note.ReferencedSamplePositions == 1


def test_a_cut_off_recording_and_a_test_say_so(tmp_path: Path, out: Path) -> None:
    head = pydicom.dcmread(wrapped(Recording(interrupted=True, test=True).with_samples(RHYTHM), tmp_path, out))
    texts = [note.UnformattedTextValue for note in head.WaveformAnnotationSequence]
    assert [text.split(":")[0] for text in texts] == ["TEST RECORDING", "INTERRUPTED"]
    assert head.SeriesDescription.startswith("TEST")


def test_an_unsynchronized_clock_is_stated_and_may_be_held(tmp_path: Path, out: Path) -> None:
    recording = Recording(trusted=False).with_samples(RHYTHM)
    assert pydicom.dcmread(wrapped(recording, tmp_path, out)).AcquisitionTimeSynchronized == "N"
    with pytest.raises(Held, match="clock was not synchronized"):
        wrapped(recording, tmp_path, out, clock=ClockSettings(untrusted="hold"))


def test_a_synchronized_clock_is_claimed_only_where_dciodvfy_does_not_refuse_the_proof(
    tmp_path: Path, out: Path
) -> None:
    recording = Recording().with_samples(RHYTHM)
    wide = pydicom.dcmread(wrapped(recording, tmp_path, out, "general-32"))
    assert wide.AcquisitionTimeSynchronized == "Y"
    assert wide.WaveformSequence[0].MultiplexGroupTimeOffset == 0
    assert "AcquisitionTimeSynchronized" not in pydicom.dcmread(wrapped(recording, tmp_path, out))


def test_recordings_of_one_exam_share_a_series_and_a_test_has_its_own(tmp_path: Path, out: Path) -> None:
    series = []
    for number, test in ((1, False), (2, False), (3, True)):
        folder = Recording(number=number, test=test).with_samples(RHYTHM).folder(tmp_path / f"acq{number}")
        (reference,) = wrap(folder, an_exam(), settings_of(tmp_path), out)
        series.append(pydicom.dcmread(reference.path))
    assert series[0].SeriesInstanceUID == series[1].SeriesInstanceUID != series[2].SeriesInstanceUID
    assert series[0].SeriesNumber == series[1].SeriesNumber != series[2].SeriesNumber


def test_a_device_that_is_no_longer_configured_is_still_wrapped(tmp_path: Path, out: Path) -> None:
    folder = Recording().with_samples(RHYTHM).folder(tmp_path / "acq")
    settings = dataclasses.replace(settings_of(tmp_path), devices=())
    assert wrap(folder, an_exam(), settings, out)


def test_an_unknown_label_stays_and_is_coded_as_unspecified(tmp_path: Path, out: Path) -> None:
    labels = ("Thumb", *EIGHT[1:])
    head = pydicom.dcmread(wrapped(Recording(labels=labels).with_samples(RHYTHM), tmp_path, out))
    channel = head.WaveformSequence[0].ChannelDefinitionSequence[0]
    assert channel.ChannelLabel == "Thumb"
    assert channel.ChannelSourceSequence[0].CodeValue == "2:0"


@pytest.mark.parametrize(
    "element",
    [
        {"00100020": {"Value": ["no VR"]}},
        {"00100020": {"vr": "DS", "Value": ["abc"]}},
        {"00100020": {"vr": "LO", "Value": [12345]}},
        {"00100020": {"vr": "LO", "Value": ["\udcff"]}},
        {"00100010": {"vr": "PN", "Value": ["Doe^Jane"]}},
        {"00400100": {"vr": "LO", "Value": ["abc"]}},
        {"00400100": {"vr": "SQ", "Value": ["abc"]}},
    ],
    ids=["no VR", "another VR", "a number as text", "no Unicode", "a name as text", "a sequence as text", "no item"],
)
def test_a_worklist_item_that_would_lose_something_is_held_without_showing_it(
    element: dict[str, object], tmp_path: Path, out: Path
) -> None:
    with pytest.raises(Held, match="is no DICOM JSON") as held:
        wrapped(Recording().with_samples(RHYTHM), tmp_path, out, exam=an_exam(item=ITEM | element))
    assert "Doe" not in str(held.value)
    assert "abc" not in str(held.value)


def test_a_recording_that_is_damaged_in_the_middle_is_held_and_not_wrapped_in_part(tmp_path: Path) -> None:
    blocks = [heartbeat(50, 8, seed=n) for n in range(20)]
    folder = Recording().with_samples(*blocks).folder(tmp_path / "acquisition")
    records = folder / places.RECORDS
    data = bytearray(records.read_bytes())
    data[len(data) // 4] ^= 1
    records.write_bytes(data)
    out = fsops.make_folder(tmp_path / "out")
    with pytest.raises(Held, match=r"damaged in the middle"):
        wrap(folder, an_exam(), settings_of(tmp_path), out)
    assert not list(out.iterdir())
    assert records.read_bytes() == data
