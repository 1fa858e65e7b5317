"""The index of an open DICOMDIR is a small table that answers as a dict would."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fsops
from gateway.transfer.media.dicomdir import entities, index
from gateway.transfer.media.dicomdir.directory import Directory
from gateway.transfer.media.dicomdir.header import Header
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE
from gateway.transfer.media.dicomdir.stores import Draft, load

MANY, A_PATIENTS, A_SERIES = 10_000, 10, 5
MOST_OPEN, MOST_LOADING = 70, 120  # bytes an instance, its share of patient, study and series included


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, index.LARGEST)), max_size=80))
def test_the_index_answers_as_a_dict(puts: list[tuple[int, int]]) -> None:
    """Few digests whose first bytes are alike, so that they meet in one slot."""
    keys = [bytes([n % 3, 0, 0, 0, 0, 0, 0, n % 2, n, 0]) for n in range(41)]
    found, expected = index.Index(), dict[bytes, int]()
    for n, value in puts:
        found.put(keys[n], value)
        expected[keys[n]] = value
    assert [found.get(key) for key in keys] == [expected.get(key, 0) for key in keys]
    assert len(found) == len(expected)


def test_it_forgets_nothing_while_it_grows() -> None:
    found = index.Index()
    keys = [index.digest(str(n).encode()) for n in range(30_000)]
    for n, key in enumerate(keys, 1):
        found.put(key, n)
    assert [found.get(key) for key in keys] == list(range(1, 30_001))
    assert index.digest(b"another") not in found


def test_the_same_entity_below_another_is_another_one() -> None:
    one, other = (entities.digests(b"1.4", patient, b"1.2", b"1.3") for patient in (b"P1", b"P2"))
    assert not set(one[:3]) & set(other[:3])
    assert one[3] == other[3], "an instance is one of the whole file-set"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "DICOMDIR"
    with fsops.new_file(path) as stream:
        directory = Directory(Draft(stream), "LARGE")
        for number in range(MANY):
            header = _header(number)
            directory.insert(header, directory.file_id(header))
    return path


def _header(number: int) -> Header:
    patient, series, uid = number // A_PATIENTS, number // A_SERIES, f"1.2.3.4.{number}"
    values = {0x00100020: b"P%d" % patient, 0x00100030: b"19700101", 0x0020000D: b"1.2.1.%d" % patient}
    values |= {0x0020000E: b"1.2.2.%d" % series, 0x00080060: b"ECG"}
    return Header("1.2.840.10008.5.1.4.1.1.9.1.1", uid, EXPLICIT_LITTLE, "WAVEFORM", values)


def test_an_open_directory_needs_few_bytes_an_instance(large: Path) -> None:
    tracemalloc.start()
    directory = load(large)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert directory is not None
    assert directory.counts == {
        "PATIENT": MANY // A_PATIENTS,
        "STUDY": MANY // A_PATIENTS,
        "SERIES": MANY // A_SERIES,
        "instance": MANY,
    }
    assert kept <= MOST_OPEN * MANY
    assert peak <= MOST_LOADING * MANY + (1 << 20)  # and the blocks that are read


def test_all_that_was_put_into_a_large_directory_is_found_in_it(large: Path) -> None:
    directory = load(large)
    assert directory is not None
    for number in range(0, MANY, 97):
        first, patients = number - number % A_SERIES + 1, number - number % A_PATIENTS + 1
        expected = f"PA{patients:06}/ST{patients:06}/SE{first:06}/IN{number + 1:06}"
        assert directory.find(f"1.2.3.4.{number}") == expected
    assert directory.find("1.2.3.4.x") is None
