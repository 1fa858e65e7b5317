"""What is found when the storm is over is found: each harm, done to the files of the PACS or the spool, is told of."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from ecg_files import write_ecg

from gateway.places import Places
from gateway.settings import Settings
from tests.soak import evidence
from tests.soak.contents import of_data_set
from tests.soak.pacs import FlakyHospital

Stored = tuple[Places, FlakyHospital]
UIDS = ("1.2.826.1", "1.2.826.2")


@pytest.fixture
def stored(settings: Settings, tmp_path: Path) -> Stored:
    """Two instances that the PACS has as the spool had them; the first is purged here, the second still lies here."""
    here, hospital = settings.places, FlakyHospital(tmp_path / "hospital", [], 1)
    here.data.mkdir(parents=True)
    connection = sqlite3.connect(here.ledger)
    connection.execute("CREATE TABLE instances (uid TEXT, state TEXT, path TEXT, sha256 TEXT)")
    for number, uid in enumerate(UIDS):
        whole = Path(write_ecg(tmp_path / "made").path).read_bytes()
        hospital.file(uid).write_bytes(whole)
        hospital.received[uid].add(of_data_set(whole))
        hospital.spooled[uid].add(of_data_set(whole))
        hospital.committed.add(uid)
        path = f"instances/acq{number}/{uid}.dcm"
        if number:
            (here.data / path).parent.mkdir(parents=True)
            (here.data / path).write_bytes(whole)
        row = (uid, "SPOOLED" if number else "PURGED", path, None)
        connection.execute("INSERT INTO instances VALUES (?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    return here, hospital


def complaints(here: Places, hospital: FlakyHospital) -> list[str]:
    return [*evidence.contents(here, hospital).complaints, *evidence.ledger(here, hospital)]


def flip_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def here_of(places: Places) -> Path:
    return next(places.instances.glob("*/*.dcm"))


def test_equal_sets_are_counted_and_nothing_is_complained_of(stored: Stored) -> None:
    assert evidence.contents(*stored).words == "2 of 2 hashes equal"
    assert complaints(*stored) == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda _, pacs: flip_last_byte(pacs.file(UIDS[0])), "1.2.826.1 is not in the PACS what it is in the spool"),
        (lambda here, _: flip_last_byte(here_of(here)), "1.2.826.2 had 2 contents in the spool"),
        (lambda _, pacs: (pacs.file(UIDS[0]).unlink(), pacs.received.clear()), "1.2.826.1 is missing in the PACS"),
        (lambda _, pacs: pacs.received["1.9"].add("x"), "1.9 is in the PACS, and was never in the spool"),
        (lambda _, pacs: pacs.received[UIDS[1]].add("x"), "1.2.826.2 came to the PACS with 2 contents"),
        (lambda here, _: here_of(here).unlink(), "1.2.826.2 is gone from the spool"),
        (lambda _, pacs: pacs.committed.remove(UIDS[0]), "the PACS never committed itself to it"),
    ],
)
def test_each_harm_to_a_file_is_told_of(
    harm: Callable[[Places, FlakyHospital], object], words: str, stored: Stored
) -> None:
    harm(*stored)
    found = complaints(*stored)
    assert any(words in complaint for complaint in found), found


def test_a_file_that_is_not_what_the_ledger_has_a_hash_of_is_told_of(stored: Stored) -> None:
    here, hospital = stored
    connection = sqlite3.connect(here.ledger)
    connection.execute("UPDATE instances SET sha256 = 'x'")
    connection.commit()
    connection.close()
    hospital.spool_files[UIDS[0]].add("y")
    assert any("1.2.826.1 was offered as another file" in words for words in complaints(here, hospital))
