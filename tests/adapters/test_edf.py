"""EDF, EDF+, BDF and BDF+ files through the adapter, against edfio and pyedflib."""

from __future__ import annotations

import datetime
import struct
import time

import edfio
import numpy as np
import pyedflib
import pytest
from edf_files import CASES, edf_signal, polysomnogram
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_adapters import edf, edf_header, edf_signals
from firmware_adapters.edf import ADAPTER, Decoder
from firmware_adapters.edf_layout import Options
from gateway import configuration
from gateway.acquire.contract import AdapterContract
from gateway.errors import Misuse, Unreadable
from gateway.events import Finished, Gap, Identified, Marker, Samples, Started
from gateway.model import Kind


class Read:
    """What the adapter makes of a file: counts by signal, in the order of the file."""

    def __init__(self, data: bytes, options: Options | None = None) -> None:
        decoder = Decoder(options or Options())
        self.events = [*decoder.start(0.0), *decoder.feed(data, 1.0), *decoder.stop(1.0)]
        (self.started,) = (e for e in self.events if isinstance(e, Started))
        self.markers = [e for e in self.events if isinstance(e, Marker)]
        self.gaps = [e for e in self.events if isinstance(e, Gap)]
        self.said = [(e.kind, e.text) for e in self.events if isinstance(e, Identified)]
        self.groups = self.started.groups
        self.channels = {c.label: c for group in self.groups for c in group.channels}
        self.rates = {c.label: group.rate for group in self.groups for c in group.channels}
        self.kinds = {
            c.label: kind for group, kind in zip(self.groups, self.started.kinds, strict=True) for c in group.channels
        }
        self.counts = {
            channel.label: column
            for index, group in enumerate(self.groups)
            for channel, column in zip(group.channels, self._samples(index).T, strict=True)
        }

    def _samples(self, group: int) -> np.ndarray:
        return np.concatenate([e.data for e in self.events if isinstance(e, Samples) and e.group == group])

    def physical(self, label: str) -> np.ndarray:
        channel = self.channels[label]
        return self.counts[label] * channel.sensitivity + channel.baseline


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> bytes:
    return polysomnogram(tmp_path_factory.mktemp("night") / "night.edf").read_bytes()


class TestAPolysomnogram(AdapterContract):
    adapter = ADAPTER

    @pytest.fixture(autouse=True)
    def _file(self, night: bytes) -> None:
        type(self).transcript = (night,)
        type(self).expected = {0: np.stack([Read(night).counts[c] for c in ("EEG C3-A2", "EEG C4-A1")], axis=1)}


class TestBdf(AdapterContract):
    adapter = ADAPTER

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path_factory) -> None:
        if not self.transcript:
            path = tmp_path_factory.mktemp("bdf") / "a.bdf"
            signals = [edf_signal("Fp1", 64, 640, bdf=True), edf_signal("Fp2", 64, 640, bdf=True)]
            made = edfio.Bdf(signals, annotations=[edfio.EdfAnnotation(1, 2, "eyes closed")])
            made.write(path)
            type(self).transcript = (path.read_bytes(),)
            type(self).expected = {0: np.stack([s.digital for s in made.signals], axis=1)}


def test_a_file_of_many_kinds_becomes_groups_of_one_kind_and_rate(night):
    found = [(kind, group.rate, [c.label for c in group.channels]) for kind, group in _pairs(Read(night))]
    assert found == [
        (Kind.SLEEP, 200.0, ["EEG C3-A2", "EEG C4-A1"]),
        (Kind.EOG, 200.0, ["EOG E1-A2", "EOG E2-A2"]),
        (Kind.EMG, 200.0, ["EMG chin"]),
        (Kind.ECG, 200.0, ["ECG II"]),
        (Kind.RESPIRATION, 25.0, ["Resp nasal", "Resp thorax"]),
        (Kind.HEMODYNAMIC, 1.0, ["SaO2"]),
    ]


def _pairs(read: Read):
    return zip(read.started.kinds, read.groups, strict=True)


def test_an_eeg_with_an_ecg_and_an_eog_is_a_routine_one_unless_the_configuration_says_sleep(tmp_path):
    signals = [edf_signal(label, 100, 1000) for label in ("EEG Fp1-Ref", "EOG left", "ECG")]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    data = (tmp_path / "a.edf").read_bytes()
    assert Read(data).kinds["EEG Fp1-Ref"] is Kind.EEG
    assert Read(data, Options(eeg="SLEEP")).kinds["EEG Fp1-Ref"] is Kind.SLEEP


def test_channels_keep_label_unit_filters_and_reference(night):
    channel = Read(night).channels["EEG C3-A2"]
    assert (channel.unit, channel.reference, channel.bits) == ("uV", "A2", 16)
    assert (channel.low_cut, channel.high_cut, channel.notch) == (0.3, 35.0, 50.0)
    assert Read(night).channels["Resp nasal"].reference == ""


def test_the_beginning_is_kept_to_the_fraction_of_a_second_in_the_boxs_own_zone(night):
    local = datetime.datetime(2026, 3, 4, 22, 30, 15, 250000)
    assert Read(night).started.at == local.timestamp()
    assert time.localtime(Read(night).started.at).tm_hour == 22


def test_patient_and_equipment_of_the_header_are_told_and_the_investigation_if_it_is_said_what_that_is(night):
    assert Read(night).said == [("patient_id", "P-1")]
    said = Read(night, Options(investigation="accession_number")).said
    assert said == [("patient_id", "P-1"), ("accession_number", "ACC1")]
    assert Read(night).started.equipment.model == "Head Box 7"
    assert Read(night, Options(manufacturer="Acme", model="One")).started.equipment.model == "One"


def test_annotations_stand_in_every_kind_and_those_of_one_signal_where_it_is(night):
    read = Read(night)
    stage = [(m.group, m.sample, m.samples) for m in read.markers if m.text == "Sleep stage W"]
    assert stage == [(0, 0, 1000), (1, 0, 1000), (2, 0, 1000), (3, 0, 1000), (4, 0, 125), (5, 0, 5)]
    assert [(m.group, m.sample, m.samples) for m in read.markers if "Apnea" in m.text] == [(4, 62, 75)]
    assert {m.sample for m in read.markers if m.text == "Lights off"} == {800, 100, 4}
    assert "cup electrode: EEG C3-A2, EEG C4-A1" in [m.text for m in read.markers if m.group == 0]


def test_a_signal_is_what_the_configuration_says_it_is(night):
    options = Options(signals=("EMG chin=EMG:Mentalis", "SaO2=left out", "Resp thorax=OTHER"))
    read = Read(night, options)
    assert read.kinds["Mentalis"] is Kind.EMG
    assert read.kinds["Resp thorax"] is Kind.OTHER
    assert "SaO2" not in read.channels
    assert "SaO2: left out, as configured" in [m.text for m in read.markers]


@pytest.mark.parametrize("kind", ["BRAIN", "PICTURES", "DOCUMENT"])
def test_the_configuration_refuses_a_signal_of_a_kind_that_no_signal_has(kind):
    text = f'[[device]]\nname = "eeg"\nadapter = "edf"\nfolder = "/srv/eeg"\nsignals = ["Fp1={kind}"]\n'
    with pytest.raises(Misuse, match="LABEL=KIND"):
        configuration.parse(text)


def test_a_device_of_files_needs_a_folder_and_no_port():
    with pytest.raises(Misuse, match="lacks the key 'folder'"):
        configuration.parse('[[device]]\nname = "eeg"\nadapter = "edf"\n')


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        *[(label, Kind.EEG) for label in ("Fp1", "EEG Fpz-Cz", "C3-A2", "O2-M1", "T7", "CP5", "Fz-Ref", "F3-A1+A2")],
        *[(label, Kind.EOG) for label in ("EOG horizontal", "LOC-A2", "ROC", "E1-M2")],
        *[(label, Kind.EMG) for label in ("EMG submental", "Chin1-Chin2", "LLEG", "Leg/L", "EMG1")],
        *[(label, Kind.ECG) for label in ("ECG", "EKG1", "ECG V2-MT")],
        *[(label, Kind.RESPIRATION) for label in ("Resp oro-nasal", "Flow", "Abdomen", "THOR", "Nasal", "CPAP")],
        *[(label, Kind.HEMODYNAMIC) for label in ("SpO2", "SaO2", "Temp rectal")],
        *[(label, Kind.OTHER) for label in ("Event marker", "Light", "DC1", "Pulse rate", "", "Battery")],
    ],
)
def test_labels_say_what_a_signal_is(label, kind):
    assert edf_signals.kind_of(label, {}) is kind


@pytest.mark.parametrize(
    ("written", "code"),
    [("uV", "uV"), ("µV", "uV"), ("DegC", "Cel"), ("mmHg", "mm[Hg]"), ("%", "%"), ("BPM", "{beats}/min"), ("", "1")],
)
def test_units_become_ucum(written, code):
    assert edf_signals.UNITS.get(written.casefold(), written) == code


def test_an_unknown_unit_stays_as_it_is_and_is_named_when_it_is_wrapped(tmp_path):
    edfio.Edf([edf_signal("EEG Cz", 100, 1000, physical_dimension="furlong")]).write(tmp_path / "a.edf")
    assert Read((tmp_path / "a.edf").read_bytes()).channels["EEG Cz"].unit == "furlong"


SIGNAL = st.tuples(
    st.sampled_from([1, 2, 5, 16, 50, 200]),  # Hz
    st.floats(-1e4, 1e4, width=32),
    st.floats(0.125, 1e5, width=32),
)


@settings(max_examples=40, deadline=None)
@given(
    bdf=st.booleans(),
    record=st.sampled_from([1.0, 2.0]),
    seconds=st.integers(1, 6),
    signals=st.lists(SIGNAL, min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_any_file_that_edfio_writes_is_read_to_the_sample_and_the_microvolt(
    tmp_path_factory, bdf, record, seconds, signals, seed
):
    path = tmp_path_factory.mktemp("any") / "any.edf"
    kind, whole, limits = (edfio.BdfSignal, edfio.Bdf, 2**23) if bdf else (edfio.EdfSignal, edfio.Edf, 2**15)
    dice = np.random.default_rng(seed)
    made = []
    for number, (rate, low, width) in enumerate(signals):
        counts = dice.integers(-limits, limits, int(rate * seconds * record), np.int32 if bdf else np.int16)
        physical = (round(low), round(low) + max(1, round(width)))
        one = kind.from_digital(
            counts, rate, label=f"EEG {number}", physical_range=physical, digital_range=(-limits, limits - 1)
        )
        made.append(one)
    whole(made, data_record_duration=record).write(path)
    read = Read(path.read_bytes())
    for one in made:
        assert np.array_equal(read.counts[one.label], one.digital)
        assert read.rates[one.label] == one.sampling_frequency
        assert np.allclose(read.physical(one.label), one.data, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("plus", [pyedflib.FILETYPE_EDF, pyedflib.FILETYPE_EDFPLUS, pyedflib.FILETYPE_BDFPLUS])
def test_what_pyedflib_writes_is_read_as_pyedflib_reads_it(tmp_path, plus):
    path = tmp_path / "a.edf"
    dice = np.random.default_rng(5)
    labels = {"EEG Fpz-Cz": 100, "EEG Pz-Oz": 100, "Resp": 10}
    with pyedflib.EdfWriter(str(path), len(labels), plus) as writer:
        bits = 24 if plus == pyedflib.FILETYPE_BDFPLUS else 16
        for number, (label, rate) in enumerate(labels.items()):
            header = pyedflib.highlevel.make_signal_header(
                label, "uV", rate, -300, 300, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
            )
            writer.setSignalHeader(number, header)
        writer.setStartdatetime(datetime.datetime(2025, 5, 6, 7, 8, 9))
        writer.writeSamples([dice.uniform(-300, 300, rate * 5) for rate in labels.values()])
        if plus != pyedflib.FILETYPE_EDF:
            writer.writeAnnotation(1.5, 2.0, "eyes öffnen")
    read = Read(path.read_bytes())
    with pyedflib.EdfReader(str(path)) as reader:
        for number, label in enumerate(labels):
            assert np.array_equal(read.counts[label], reader.readSignal(number, digital=True))
            assert np.allclose(read.physical(label), reader.readSignal(number), rtol=0, atol=1e-9)
    assert read.started.at == datetime.datetime(2025, 5, 6, 7, 8, 9).timestamp()
    if plus != pyedflib.FILETYPE_EDF:
        assert [(m.sample, m.samples) for m in read.markers if m.text == "eyes öffnen"] == [(150, 200), (15, 20)]


@pytest.mark.parametrize("name", ["short_psg.edf", "short_psg.bdf", "test_generator.edf"])
def test_real_files_are_read_as_edfio_reads_them(name):
    if not (CASES / name).exists():
        pytest.skip("no recordings: set GATEWAY_CASES")
    data = (CASES / name).read_bytes()
    read = Read(data)
    other = edfio.read_bdf(CASES / name) if name.endswith("bdf") else edfio.read_edf(CASES / name)
    assert list(read.counts) == [s.label for s in other.signals] or set(read.counts) == set(other.labels)
    for signal in other.signals:
        assert np.array_equal(read.counts[signal.label], signal.digital)
        assert np.allclose(read.physical(signal.label), signal.data, rtol=1e-12, atol=1e-9)
    assert {m.text for m in read.markers} >= {a.text for a in other.annotations}
    start = datetime.datetime.combine(other.startdate, other.starttime)
    assert read.started.at == start.timestamp()


def _discontinuous(data: bytes, onsets: list[str]) -> bytes:
    """The file with these onsets of its data records, and a header that says it is discontinuous."""
    header = edf_header.parse(data[: edf_header.length(data[:256])])
    at = header.length
    out = bytearray(data)
    out[192:197] = b"EDF+D"
    place = 0
    for signal in header.signals:
        if signal.annotations:
            break
        place += signal.samples * header.width
    for onset in onsets:
        tal = f"{onset}\x14\x14\x00".encode()
        length = header.signals[-1].samples * header.width
        out[at + place : at + place + length] = tal.ljust(length, b"\x00")
        at += header.record
    return bytes(out)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("pieces") / "a.edf"
    signals = [edf_signal("EEG Cz-A1", 100, 600), edf_signal("EEG Pz-A1", 50, 300)]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(0, None, "a long enough text")]).write(path)
    return path.read_bytes()


def test_what_a_discontinuous_file_leaves_out_is_a_gap_at_its_place(pieces):
    read = Read(_discontinuous(pieces, ["+0.5", "+1.5", "+10.25", "+11.25", "+20.25", "+21.25"]))
    assert [(g.group, g.samples) for g in read.gaps] == [(0, 775), (1, 388), (0, 800), (1, 400)]
    before = [e.data.shape[0] for e in read.events if isinstance(e, Samples) and e.group == 0]
    assert before == [200, 200, 200]
    assert np.array_equal(read.counts["EEG Cz-A1"], Read(pieces).counts["EEG Cz-A1"])


@pytest.mark.parametrize(
    ("onsets", "words"),
    [
        (["+0", "+0.5", "+2", "+3", "+4", "+5"], "before the one before it ends"),
        (["+0", "+1", "+9000000", "+9000001", "+9000002", "+9000003"], "more than 31 days"),
        (["+0", "1", "+2", "+3", "+4", "+5"], "does not tell when it began"),
    ],
)
def test_a_discontinuous_file_whose_time_makes_no_sense_is_refused_with_the_byte(pieces, onsets, words):
    with pytest.raises(Unreadable, match=rf"byte \d+: data record [23] .*{words}"):
        Read(_discontinuous(pieces, onsets))


def test_an_annotation_that_cannot_be_read_is_named_and_costs_nothing_else(pieces):
    broken = pieces.replace(b"+0\x14a long enough text\x14", b"+0\x14a long enough text?", 1)
    assert broken != pieces
    read = Read(broken)
    assert any("cannot be read (byte" in m.text for m in read.markers)
    assert np.array_equal(read.counts["EEG Cz-A1"], Read(pieces).counts["EEG Cz-A1"])


def test_the_triggers_of_a_biosemi_file_become_annotations(tmp_path):
    codes = np.zeros(300, np.int32)
    codes[50:60], codes[100:101], codes[200:] = 7, 255, 12
    high = np.where(np.arange(300) < 150, -(1 << 23), 1 << 20)  # the amplifier's own bits, which come and go
    reach = (-(1 << 23), (1 << 23) - 1)
    status = edfio.BdfSignal.from_digital(
        (codes | high).astype(np.int32),
        100,
        label="Status",
        physical_range=reach,
        digital_range=reach,
    )
    edfio.Bdf([edf_signal("Fp1", 100, 300, bdf=True), status]).write(tmp_path / "a.bdf")
    read = Read((tmp_path / "a.bdf").read_bytes())
    found = [(m.text, m.sample) for m in read.markers if m.text.startswith("Trigger")]
    assert found == [("Trigger 7", 50), ("Trigger 255", 100), ("Trigger 12", 200)]
    assert list(read.channels) == ["Fp1"]


def test_a_file_without_its_date_is_dated_by_the_box_and_says_so(night):
    anonymous = night.replace(b"Startdate 04-MAR-2026", b"Startdate X          ")
    read = Read(anonymous)
    assert read.started.at is None
    assert any("does not tell when it was recorded" in m.text for m in read.markers)


def test_a_file_cut_at_any_byte_of_its_header_lacks_the_rest_and_is_refused(night):
    length = edf_header.length(night[:256])
    for size in range(length):
        cut = night[:size]
        assert "header has" in edf.lacks(lambda offset, count, cut=cut: cut[offset : offset + count], size)
    for size in (*range(257), *range(257, length, 7)):
        decoder = Decoder(Options())
        with pytest.raises(Unreadable, match="ends within its header"):
            list(decoder.feed(night[:size], 0.0)) + list(decoder.stop(0.0))


@pytest.mark.parametrize(
    ("at", "text", "words"),
    [
        (0, b"1", "byte 0: it is no EDF or BDF file"),
        (176, b"25.00.00", "byte 168: there is no 04.03.26 25.00.00"),
        (168, b"2026-3-4", "byte 168: start date and time"),
        (184, b"255     ", "byte 184: the header is 255 bytes"),
        (184, b"abc     ", "byte 184: length of the header is 'abc'"),
        (236, b"1e3     ", "byte 236: number of data records"),
        (236, b"-2      ", "byte 236: -2 data records"),
        (244, b"0       ", "byte 244: data records with signals last no time"),
        (244, b"1,5     ", "byte 244: duration of a data record is '1,5'"),
        (252, b"0   ", "byte 252: 0 signals"),
        (252, b"9999", "byte 252: 9999 signals"),
    ],
)
def test_what_is_wrong_in_a_header_is_said_with_its_byte(night, at, text, words):
    broken = night[:at] + text + night[at + len(text) :]
    with pytest.raises(Unreadable, match=words):
        Read(broken)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("physical minimum", b"nan", "physical minimum is 'nan', which is no number"),
        ("digital minimum", b"32767", "digital maximum and minimum are the same"),
        ("number of samples", b"0", "a signal of 0 samples"),
        ("number of samples", b"99999999", "a data record has .* bytes, at most"),
    ],
)
def test_what_is_wrong_in_a_signals_fields_is_said_too(night, field, text, words):
    signals = edf_header.length(night[:256]) // 256 - 1
    at = 256 + signals * sum(size for name, size in _before(field))
    broken = night[:at] + text.ljust(8) + night[at + 8 :]
    with pytest.raises(Unreadable, match=words):
        Read(broken)


def _before(field):
    names = list(edf_header.FIELDS)
    return [(name, edf_header.FIELDS[name]) for name in names[: names.index(field)]]


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 2815), byte=st.integers(0, 255))
def test_no_byte_of_a_header_makes_it_fail_in_another_way(night, at, byte):
    broken = bytearray(night[:8192])
    broken[at] = byte
    decoder = Decoder(Options())
    try:
        events = [*decoder.feed(bytes(broken), 0.0), *decoder.stop(0.0)]
    except Unreadable as error:
        assert error.message
    else:
        assert any(isinstance(e, Finished) for e in events)


def test_more_than_the_header_tells_is_refused(night):
    with pytest.raises(Unreadable, match="more follows than the header tells"):
        Read(night + b"\x00")
    assert "it must have" in edf.lacks(lambda o, n: (night + b"x")[o : o + n], len(night) + 1)


def test_a_file_that_is_still_being_recorded_by_its_own_word_is_waited_for(night):
    growing = night[:236] + b"-1      " + night[244:]
    assert "still being recorded" in edf.lacks(lambda o, n: growing[o : o + n], len(growing))


def test_an_inverted_signal_keeps_its_polarity(tmp_path):
    edfio.Edf([edf_signal("EEG Cz", 100, 1000)]).write(tmp_path / "a.edf")
    data = bytearray((tmp_path / "a.edf").read_bytes())
    at = 256 + 16 + 80 + 8
    data[at : at + 16] = b"200     -200    "
    read = Read(bytes(data))
    assert read.channels["EEG Cz"].sensitivity < 0
    low, high = struct.unpack("<h", data[-2:])[0], read.physical("EEG Cz")[-1]
    assert (low > 0) == (high < 0)
