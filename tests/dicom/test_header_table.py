"""The header table tells the truth: what is in a real file stands in it, and comes from the source that it names.

A recording is wrapped in the situations that a box meets; then one source at a time is changed, everything else stays
as it is, and only those attributes may change whose row names that source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from acquisitions import ITEM, Recording, an_exam, heartbeat, instant, settings_of
from pictures import Taken, jpeg_of, noise, wrapped
from pydicom import dcmread
from pydicom.dataset import Dataset
from waveforms import CASES

from gateway import fsops, places
from gateway.acquire.recorder import read_facts
from gateway.dicom import header_table, modules, rejection
from gateway.dicom.conditions import tag_of
from gateway.dicom.definition import Iod
from gateway.dicom.header_table import META
from gateway.dicom.iods import BY_CLASS, BY_KEY, TABLE
from gateway.dicom.mapping import TABLE as MAPPED
from gateway.dicom.origin import Presence, Source
from gateway.dicom.rejection import NOTE
from gateway.dicom.wrap import wrap
from gateway.events import Gap, Marker
from gateway.model import Attributed, Attribution, Code, Correction, Equipment, Exam, Facts, Picture, to_json
from gateway.profile import Area, Profile, Region
from gateway.settings import Box
from gateway.sop_classes import PICTURES, WRITTEN
from gateway.verbs.identity import PATIENT_FIELDS

# Everything that the mapping copies; with letters beyond ASCII.
WHOLE = ITEM | {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen"}]},
    "00100021": {"vr": "LO", "Value": ["HOSPITAL"]},
    "00081110": {
        "vr": "SQ",
        "Value": [
            {
                "00081150": {"vr": "UI", "Value": ["1.2.840.10008.3.1.2.3.1"]},
                "00081155": {"vr": "UI", "Value": ["2.25.99"]},
            }
        ],
    },
}
ENTERED = {tag: ITEM[tag] for tag, _, _ in PATIENT_FIELDS.values()}
BOX = Box(station_name="BOX1", institution_name="General", department="Cardiology")


def another(value: Any, key: str = "") -> Any:
    """The same worklist item of somebody else: another value everywhere, of the same form."""
    if isinstance(value, dict):
        return {k: v if k == "vr" else another(v, k if len(k) == 8 else key) for k, v in value.items()}
    if isinstance(value, list):
        return [another(v, key) for v in value]
    special = {"00100030": "19800203", "00100040": "M", "00081150": "1.2.840.10008.3.1.2.3.3"}
    return special.get(key, f"{value}7" if value[:1].isdigit() else f"{value}x")


@dataclasses.dataclass(frozen=True)
class Situation:
    """Everything that a wrapped file is made of."""

    exam: Exam = dataclasses.field(default_factory=lambda: an_exam(item=WHOLE, operator="Curie^Marie"))
    box: Box = BOX
    labels: tuple[str, ...] = ("I", "II", "V1")
    iod: str = "general-32"
    recorded: tuple[tuple[str, Any], ...] = ()
    facts: tuple[tuple[str, Any], ...] = ()

    def facts_with(self, **changes: Any) -> Situation:
        return dataclasses.replace(self, facts=(*self.facts, *changes.items()))

    def exam_with(self, **changes: Any) -> Situation:
        return dataclasses.replace(self, exam=dataclasses.replace(self.exam, **changes))

    def with_item(self, item: dict[str, Any], *more: dict[str, Any], study: str = "1.2.3.4.57") -> Situation:
        how = dataclasses.replace(self.exam.attribution, item=item, more=more)
        return self.exam_with(attribution=how, study_uid=study)


def file_of(situation: Situation, folder: Path) -> Dataset:
    changed = dict(situation.recorded)
    count = changed.pop("samples", 3000)
    recording = Recording(labels=situation.labels, **changed)
    recording.with_samples(heartbeat(count, len(situation.labels)))
    recording.events += [Gap("2 packets lost", 1002.0, 50, 0.1), Marker("event button", 1002.0, 0, 100)]
    path = recording.folder(folder / "acq")
    facts = dataclasses.replace(read_facts(path), **dict(situation.facts))
    fsops.write_json(path / places.FACTS, to_json(facts))
    settings = dataclasses.replace(settings_of(folder), box=situation.box)
    out = fsops.make_folder(folder / "out")
    (made,) = wrap(path, situation.exam, settings, out, situation.iod)
    return dcmread(made.path)


def _corrected() -> Situation:
    wrong = Correction("260922000000AB11", Attribution(Attributed.SCHEDULED, WHOLE, instant()), "1.2.3.4.5", instant())
    return SCHEDULED.with_item(another(WHOLE)).exam_with(corrects=wrong)


def _manual(how: Attributed, item: dict[str, Any]) -> Situation:
    return Situation(an_exam(how, item, study_uid="2.25.77", operator="Curie^Marie"))


SCHEDULED = Situation()
SECOND = ITEM | {"0020000D": {"vr": "UI", "Value": ["9.8.7"]}, "00080050": {"vr": "SH", "Value": ["ACC2"]}}
NAMELESS = {tag: ITEM[tag] for tag in ("00100010", "00100020")}
SITUATIONS: dict[str, Situation] = {
    "scheduled": SCHEDULED,
    "scheduled, 12 leads": dataclasses.replace(SCHEDULED, iod="twelve-lead"),
    "the clock is not set": dataclasses.replace(SCHEDULED, iod="twelve-lead", recorded=(("trusted", False),)),
    "a test": dataclasses.replace(SCHEDULED, recorded=(("test", True), ("interrupted", True))),
    "little is known": Situation(an_exam(item={}), Box(), recorded=(("serial", ""),)),
    "entered by hand": _manual(Attributed.MANUAL, ENTERED),
    "an emergency": _manual(Attributed.EMERGENCY, NAMELESS),
    "two steps": SCHEDULED.with_item(WHOLE, SECOND, study="2.25.78"),
    "corrected": _corrected(),
}


COLUMNS, ROWS = 64, 48
KNOWN = Profile(
    name="cart",
    burned_in="no",
    anatomic_region=Code("71854001", "SCT", "Colon"),
    laterality="U",
    calibration=(Region("2D", "tissue", Area(0, 0, 64, 48), 0.012, "cm", 0.012, "cm"),),
)


def _pictures(count: int, encoding: str = "RGB24", uneven: bool = False, aspect: tuple[int, ...] = (1, 1)) -> Taken:
    """Frames of noise; the first two come late."""
    frames = [noise(ROWS, COLUMNS, number) for number in range(count)]
    if encoding == "MJPEG":
        data = [jpeg_of(one) for one in frames]
    else:
        data = [(one[..., 0] if encoding == "GREY" else one).tobytes() for one in frames]
    taken = Taken(Picture(encoding, COLUMNS, ROWS, 25.0 if count > 1 else 0.0, aspect), test=True)
    if not uneven:
        return taken.frames(*data)
    return taken.frames(*data[:2], rate=2.0).frames(*data[2:], first=1003.0)


# An instance of each class that is no ECG, and of pictures in the ways in which their headers differ.
PICTURED: dict[str, tuple[Taken, str]] = {
    f"{family}, {what}": (taken, family)
    for family in PICTURES
    for what, taken in (
        ("a still", _pictures(1, aspect=(4, 3))),
        ("a clip", _pictures(4, "MJPEG")),
        ("a gray clip", _pictures(4, "GREY")),
        ("an uneven clip", _pictures(5, uneven=True)),
    )
}
PICTURED["a document"] = (Taken(Picture("PDF", 0, 0)).frames(b"%PDF-1.4 a report"), "capture")
OTHERS = (*CASES, *PICTURED)


@cache
def other(name: str) -> tuple[str, dict[str, list[Any]]]:
    """SOP Class UID, and the attributes by their paths."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        if name in CASES:
            recording = CASES[name].recording().folder(here / "acq")
            (made, *_) = wrap(
                recording, an_exam(), settings_of(here, **CASES[name].device), fsops.make_folder(here / "out")
            )
        else:
            taken, family = PICTURED[name]
            (made,) = wrapped(here, taken, KNOWN, iod=family)
        values: dict[str, list[Any]] = {}
        for path, value in paths(dcmread(made.path)):
            values.setdefault(path, []).append(value)
    return made.sop_class_uid, values


def paths(dataset: Dataset, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each attribute by its path of keywords, and its value; what a row calls whole is one value."""
    for element in dataset:
        path = f"{prefix}{element.keyword}"
        row = header_table.TABLE.get(path)
        if element.VR == "SQ" and not (row is not None and row.whole):
            yield path, len(element.value)
            for item in element.value:
                yield from paths(item, f"{path}/")
        else:
            yield path, str(element.value) if element.VR not in ("OW", "OB") else bytes(element.value)


@cache
def found(name: str) -> dict[str, list[Any]]:
    with TemporaryDirectory() as folder:
        return _found(SITUATIONS[name], Path(folder))


def _found(situation: Situation, folder: Path) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for path, value in paths(file_of(situation, folder)):
        values.setdefault(path, []).append(value)
    return values


def written(name: str) -> tuple[Iod, dict[str, list[Any]]]:
    """The class and the attributes of a file."""
    if name in SITUATIONS:
        return TABLE[SITUATIONS[name].iod], found(name)
    uid, there = other(name)
    return BY_CLASS[uid], there


def test_there_is_a_file_of_every_class_that_the_box_writes() -> None:
    made = {other(name)[0] for name in OTHERS} | {TABLE[s.iod].sop_class_uid for s in SITUATIONS.values()}
    assert made >= set(WRITTEN.values()) - {TABLE[key].sop_class_uid for key in ("general", "ambulatory")}


@pytest.mark.parametrize("name", (*SITUATIONS, *OTHERS))
def test_each_attribute_of_a_real_file_has_a_row(name: str) -> None:
    assert [path for path in written(name)[1] if path not in header_table.TABLE] == []


@pytest.mark.parametrize("name", (*SITUATIONS, *OTHERS))
def test_each_attribute_is_present_as_its_row_says(name: str) -> None:
    iod, there = written(name)
    expected = {row.origin.path: row.origin for one in header_table.filled(iod) for row in one.rows if one.present}
    for path, row in expected.items():
        outer = path.rpartition("/")[0]
        if outer and outer not in there:
            continue
        if row.presence is not Presence.ANAP:
            assert path in there, f"{path} is {row.presence}"
        values = there.get(path, [])
        if row.presence is Presence.ALWAYS:
            assert all(value not in ("", "[]") for value in values), path
        if row.presence is Presence.EMPTY:
            assert values in ([0], ["None"], [""]), path


def test_every_row_is_seen_in_one_of_the_situations() -> None:
    seen = {path for name in (*SITUATIONS, *OTHERS) for path in written(name)[1]}
    assert [path for path in header_table.TABLE if path not in seen] == []


def test_the_file_meta_information_has_a_row_for_each_of_its_elements(tmp_path: Path) -> None:
    meta = file_of(SCHEDULED, tmp_path).file_meta
    assert {element.keyword for element in meta} == {row.path for row in META}


# What each source is, changed as a whole, and from which situation.
CHANGES: dict[str, tuple[Source, str, Situation]] = {
    "another item of the worklist": (Source.MWL, "scheduled", SCHEDULED.with_item(another(WHOLE))),
    "one more step of the worklist": (Source.MWL, "scheduled", SITUATIONS["two steps"]),
    "two other steps": (
        Source.MWL,
        "two steps",
        SCHEDULED.with_item(another(WHOLE), another(SECOND), study="2.25.79"),
    ),
    "another person entered": (
        Source.USER,
        "entered by hand",
        dataclasses.replace(
            SITUATIONS["entered by hand"],
            exam=dataclasses.replace(
                SITUATIONS["entered by hand"].exam,
                attribution=Attribution(Attributed.MANUAL, another(ENTERED), instant()),
                operator="Pasteur^Louis",
            ),
        ),
    ),
    "another box": (
        Source.CONFIG,
        "scheduled",
        dataclasses.replace(SCHEDULED, box=Box(station_name="BOX2", institution_name="Other", department="Neurology"))
        .exam_with(devices=("cart",))
        .facts_with(device="cart"),
    ),
    "another device": (
        Source.DEVICE,
        "scheduled",
        dataclasses.replace(
            SCHEDULED,
            labels=("I", "II", "V6", "V5"),
            recorded=(
                *(("rate", 400.0), ("unit", "mV"), ("sensitivity", 0.01), ("baseline", 1.0)),
                *(("serial", "SN2"), ("samples", 2000)),
            ),
        ),
    ),
    "another recording of another exam": (
        Source.AUTO,
        "scheduled",
        dataclasses.replace(SCHEDULED, recorded=(("number", 2),))
        .exam_with(exam="260922000000AB13", step_uid="2.25.1002", opened=instant(wall=1_789_800_000.0))
        .facts_with(started=instant(wall=1_790_090_000.5), exam="260922000000AB13"),
    ),
}


def _of_device(facts: Facts) -> dict[str, Any]:
    """Facts of a device that says other things of itself and of its signal."""
    (group,) = facts.groups
    channels = tuple(dataclasses.replace(c, low_cut=0.5, high_cut=40.0, notch=60.0) for c in group.channels)
    made = dataclasses.replace(facts.equipment, manufacturer="OTHER", model="M2", software="3")
    return {"equipment": made, "groups": (dataclasses.replace(group, label="MEDIAN", channels=channels),)}


@cache
def changed(what: str) -> frozenset[str]:
    """The paths whose values are others once one source is changed."""
    _, name, situation = CHANGES[what]
    with TemporaryDirectory() as folder:
        here = Path(folder)
        if what == "another device":
            probe = Recording(labels=situation.labels, **{k: v for k, v in situation.recorded if k != "samples"})
            facts = read_facts(probe.folder(here / "probe"))
            situation = situation.facts_with(**_of_device(facts))
        now = _found(situation, here)
    before = found(name)
    paths_of_both = before.keys() & now.keys()
    return frozenset(p for p in paths_of_both if _distinct(before[p]) != _distinct(now[p]))


def _distinct(values: list[Any]) -> list[Any]:
    return sorted(set(values), key=str)


@pytest.mark.parametrize("what", CHANGES)
def test_only_what_names_a_source_changes_with_it(what: str) -> None:
    source, _, _ = CHANGES[what]
    strangers = [p for p in changed(what) if not {source, Source.AUTO} & set(header_table.TABLE[p].sources)]
    assert strangers == []


@pytest.mark.parametrize("what", [w for w in CHANGES if w.startswith(("another", "two")) and "exam" not in w])
def test_what_names_a_source_changes_with_it(what: str) -> None:
    source, name, _ = CHANGES[what]
    named = [
        p for p in found(name) if source in header_table.TABLE[p].sources and header_table.TABLE[p].sources[0] is source
    ]
    # How many items a sequence has is no value of theirs; the items' own attributes are looked at.
    values = [p for p in named if tag_of(p.rpartition("/")[2]) and not all(isinstance(v, int) for v in found(name)[p])]
    assert [p for p in values if p not in changed(what) and not _constant(name, p)] == []


def _constant(name: str, path: str) -> bool:
    """Nothing can change there: it is empty."""
    return all(value in ("", "[]") for value in found(name)[path])


def test_what_is_made_by_the_gateway_alone_changes_with_the_recording_or_the_clock() -> None:
    alone = {p for p in found("scheduled") if header_table.TABLE[p].sources == (Source.AUTO,)}
    other = {"SpecificCharacterSet", "TimezoneOffsetFromUTC", "AcquisitionTimeSynchronized", "SeriesNumber"}
    other |= {"SynchronizationFrameOfReferenceUID", "WaveformSequence/MultiplexGroupTimeOffset"}  # of UTC; 0
    assert alone - changed("another recording of another exam") <= other
    assert found("the clock is not set")["AcquisitionTimeSynchronized"] == ["N"]
    assert found("the clock is not set")["SeriesNumber"] != found("scheduled, 12 leads")["SeriesNumber"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("StudyID", "entered by hand"),
        ("ProtocolName", "entered by hand"),
        ("Manufacturer", "no equipment"),
        ("ManufacturerModelName", "no equipment"),
        ("DeviceSerialNumber", "little is known"),
    ],
)
def test_a_fallback_stands_where_the_source_has_no_value(path: str, name: str, tmp_path: Path) -> None:
    row = header_table.TABLE[path]
    assert row.fallback
    if name == "no equipment":
        blank = SCHEDULED.facts_with(equipment=Equipment("", "", "SN1"))
        values = _found(blank, tmp_path)[path]
    else:
        values = found(name)[path]
    said = {"the exam's id": SITUATIONS[name].exam.exam if name in SITUATIONS else ""}
    said |= {"the name of the class": TABLE["general-32"].label, "UNKNOWN where it is type 1": "UNKNOWN"}
    assert values == [said[row.fallback]]


def test_what_a_person_may_enter_is_what_the_box_asks_for() -> None:
    tags = {tag_of(keyword) for keyword in header_table.ENTERED}
    assert tags == {int(tag, 16) for tag, _, _ in PATIENT_FIELDS.values()}


def test_what_the_mapping_copies_is_in_the_table_as_it_is() -> None:
    for row in MAPPED:
        for path in row.instance:
            origin = header_table.TABLE[path]
            assert origin.sources[0] is Source.MWL
            assert (origin.presence is Presence.VNAP) == (row.instance_type == "2")


@pytest.mark.parametrize("iod", [BY_KEY[key] for key in WRITTEN], ids=WRITTEN)
def test_no_attribute_of_type_1_or_2_lacks_a_row(iod: Any) -> None:
    for one in header_table.filled(iod):
        written = {row.origin.path for row in one.rows}
        if one.present is None:
            assert one.usage != "M" or not modules.module(one.module).demands, f"{one.module} is mandatory"
            continue
        for row in modules.module(one.module).rows:
            assert row.type not in ("1", "2") or row.keyword in written


def test_a_rejection_note_has_what_its_table_says(tmp_path: Path) -> None:
    rejected = file_of(SCHEDULED, tmp_path)
    at = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    uid = rejection.write([Path(rejected.filename)], rejection.WRONG_ENTRY, "wrong patient", at, BOX, tmp_path)
    note = dcmread(tmp_path / f"{uid}.dcm")
    assert {element.keyword for element in note} <= set(NOTE)
    for path, row in NOTE.items():
        assert row.presence is Presence.ANAP or path in note
        if row.presence is Presence.ALWAYS:
            assert not note[path].is_empty, path
        if row.sources == (Source.COPY,) and path in rejected and path in note:
            assert note[path].value == rejected[path].value
