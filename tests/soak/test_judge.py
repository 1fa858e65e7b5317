"""The judge can condemn: each kind of harm, done to the data by hand, is seen and named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from gateway.trial.device import packet
from tests.soak import sequence
from tests.soak.book import Book, Recording, Visit
from tests.soak.contents import compare, of_data_set
from tests.soak.devices import Truth, _packets
from tests.soak.judge import Instance, Verdict, judge

PATIENT, OTHER = "SOAK-001", "SOAK-002"


def of(device: int, first: int, behind: int, uid: str = "1.2", patient: str = PATIENT, cut: bool = False) -> Instance:
    return Instance(
        uid, {"1.2": "a", "1.3": "b"}.get(uid, uid), patient, cut, sequence.rows(device, np.arange(first, behind))
    )


def verdict(*instances: Instance, change: Callable[[Book, list[Truth]], None] = lambda *_: None) -> Verdict:
    """Of device 1, begun at 100: patient 1 recorded 100 to 600, stopped in order; patient 2 700 to 900, cut off."""
    truths = [Truth(0), Truth(1, [100, 700], [(300, 310)])]
    book = Book()
    book.visits = [Visit(1, PATIENT, 90, 650), Visit(1, OTHER, 650, 1000)]
    book.recordings = {
        "a": Recording("a", stop_asked=True, kept=True, samples=500, durable=400),
        "b": Recording("b", durable=150),
    }
    change(book, truths)
    return judge(truths, book, instances)


def with_gap(padding: int = 10) -> Instance:
    """100 to 600 with what the device dropped (300 to 310) as padding."""
    data = of(1, 100, 600).data
    hole = np.full((padding, sequence.CHANNELS), sequence.PADDING, np.int32)
    return Instance("1.2", "a", PATIENT, False, np.concatenate([data[:200], hole, data[210:]]))


SECOND = of(1, 700, 900, "1.3", OTHER, cut=True)


def changed(one: Instance, change: Callable[[np.ndarray], np.ndarray | None]) -> Instance:
    data = one.data.copy()
    after = change(data)
    return dataclasses.replace(one, data=data if after is None else after)


def test_what_is_whole_in_order_and_the_right_patients_is_good() -> None:
    found = verdict(with_gap(), SECOND)
    assert found.complaints == []
    assert (found.instances, found.samples, found.promised, found.lost, found.doubled) == (2, 700, 650, 0, 0)
    assert found.good


def swap(data: np.ndarray) -> None:
    data[[50, 51]] = data[[51, 50]]


def alter(data: np.ndarray) -> None:
    data[70, 5] ^= 1


@pytest.mark.parametrize(
    ("harmed", "lost", "words"),
    [
        (lambda: changed(with_gap(), lambda d: np.delete(d, 50, axis=0)), 2, "lacks 1 samples behind 149"),
        (lambda: changed(with_gap(), lambda d: d[1:]), 2, "lacks 1 samples at its beginning"),
        (lambda: changed(with_gap(), lambda d: d[:-1]), 1, "500 samples were promised, 499 are there"),
        (lambda: changed(with_gap(), lambda d: np.insert(d, 50, d[50], axis=0)), 0, "or twice"),
        (lambda: changed(with_gap(), swap), None, "another order"),
        (lambda: changed(with_gap(), alter), None, "1 samples that the device never sent"),
        (lambda: with_gap(padding=9), 1, "has 9 missing samples where 10 are missing"),
        (lambda: with_gap(padding=11), 0, "has 11 missing samples where 10 are missing"),
        (lambda: dataclasses.replace(with_gap(), patient=OTHER), 0, "under patient SOAK-002; it was made of SOAK-001"),
        (lambda: dataclasses.replace(with_gap(), interrupted=True), 0, "but ended in order"),
        (lambda: of(0, 100, 600), None, "made in 0 visits"),
        (lambda: of(5, 100, 600), None, "no device that there is"),
    ],
)
def test_harm_is_seen(harmed: Callable[[], Instance], lost: int | None, words: str) -> None:
    found = verdict(harmed(), SECOND)
    assert not found.good
    assert any(words in complaint for complaint in found.complaints), found.complaints
    assert lost is None or found.lost == lost


def test_a_whole_instance_that_is_missing_is_what_was_promised_of_it() -> None:
    assert verdict(SECOND).lost == 500
    assert verdict(with_gap()).lost == 150


def test_padding_over_what_the_device_delivered_is_a_loss() -> None:
    def cover(data: np.ndarray) -> None:
        data[50:60] = sequence.PADDING

    assert verdict(changed(with_gap(), cover), SECOND).lost == 10


def test_the_same_samples_under_two_uids_are_doubled() -> None:
    found = verdict(with_gap(), SECOND, of(1, 800, 850, "1.4", OTHER, cut=True))
    assert found.doubled == 50
    assert any("1.3 and 1.4" in complaint for complaint in found.complaints)


def test_a_recording_that_was_cut_off_must_say_so() -> None:
    found = verdict(with_gap(), dataclasses.replace(SECOND, interrupted=False))
    assert any("was cut off, and is not marked so" in complaint for complaint in found.complaints)


def test_samples_of_two_patients_in_one_instance_are_seen() -> None:
    def later(book: Book, _truths: list[Truth]) -> None:
        book.visits[0].behind = book.visits[1].first = 500

    found = verdict(with_gap(), SECOND, change=later)
    assert any("made in 2 visits" in complaint for complaint in found.complaints)


def test_every_sample_tells_its_device_and_number_in_24_bits() -> None:
    numbers = np.array([0, 1, (1 << 23) - 1, 1 << 23, 1 << 30])
    data = sequence.rows(1, numbers)
    assert data.min() >= -(2**23)
    assert data.max() < 2**23
    devices, found = sequence.identify(data)
    assert (devices == 1).all()
    assert (found == numbers).all()
    assert len(np.unique(data[:, 2:])) == data[:, 2:].size


def test_the_soaked_board_speaks_as_the_played_one() -> None:
    data = sequence.rows(1, np.arange(300))
    assert _packets(7, data) == b"".join(packet(7 + i, row) for i, row in enumerate(data))


@pytest.mark.parametrize(
    ("spooled", "stored", "equal", "words"),
    [
        ({"1.2": {"a"}, "1.3": {"b"}}, {"1.2": {"a"}, "1.3": {"b"}}, 2, []),
        ({"1.2": {"a"}, "1.3": {"b"}}, {"1.2": {"a"}}, 1, ["1.3 is missing in the PACS"]),
        ({"1.2": {"a"}, "1.3": set()}, {"1.2": {"a"}, "1.3": set()}, 1, ["1.3 is missing in the PACS"]),
        ({"1.2": {"a"}}, {"1.2": {"a"}, "1.3": {"b"}}, 1, ["1.3 is in the PACS, and was never in the spool"]),
        ({"1.2": {"a"}}, {"1.2": {"b"}}, 0, ["1.2 is not in the PACS what it is in the spool"]),
        ({"1.2": {"a", "b"}}, {"1.2": {"a", "b"}}, 0, ["1.2 had 2 contents", "1.2 came to the PACS with 2 contents"]),
        ({"1.2": {"a"}}, {"1.2": {"a", "b"}}, 0, ["1.2 is not in the PACS what", "1.2 came to the PACS with 2"]),
    ],
)
def test_a_pacs_that_has_not_exactly_what_the_spool_has_is_told_of(
    spooled: dict[str, set[str]], stored: dict[str, set[str]], equal: int, words: list[str]
) -> None:
    found = compare(spooled, stored)
    assert (found.instances, found.equal) == (len(spooled | stored), equal)
    assert len(found.complaints) == len(words)
    assert all(given in said for given, said in zip(words, found.complaints, strict=True))


def test_one_byte_of_a_data_set_changes_its_hash_and_the_meta_information_does_not(tmp_path: Path) -> None:
    def file(name: str, implementation: str, patient: str) -> bytes:
        found = Dataset()
        found.file_meta = FileMetaDataset()
        found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        found.file_meta.ImplementationVersionName = implementation
        found.SOPClassUID, found.SOPInstanceUID, found.PatientID = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3", patient
        found.save_as(tmp_path / name, enforce_file_format=True)
        return (tmp_path / name).read_bytes()

    ours, theirs, altered = file("a", "OURS", "P1"), file("b", "ANOTHER_ONE", "P1"), file("c", "OURS", "P2")
    assert ours != theirs
    assert of_data_set(ours) == of_data_set(theirs) != of_data_set(altered)
    with pytest.raises(ValueError, match="no DICOM file"):
        of_data_set(ours[1:])
