"""What follows from files and ledger after a crash is a pure function, and what it orders may be repeated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from spooling import Box, Pacs, record, somebodys_exam

from gateway.settings import Settings
from gateway.spool.recover import Adopt, Alarm, Known, Sweep, plan
from gateway.spool.states import Instance

names = st.sampled_from(["A", "B", "A~general", ".A.wrapping"])
uids = st.sampled_from(["1", "2", "3"])
files = st.dictionaries(names, st.frozensets(uids))
known = st.lists(
    st.builds(Known, uids, st.sampled_from(["A", "B"]), st.sampled_from(Instance)), unique_by=lambda k: k.uid
)


@given(files, known)
def test_every_file_is_known_adopted_or_was_never_finished(there: dict[str, frozenset[str]], rows: list[Known]) -> None:
    actions = plan(there, rows)
    adopted = {a.folder for a in actions if isinstance(a, Adopt)}
    swept = {a.folder for a in actions if isinstance(a, Sweep)}
    for folder, found in there.items():
        for _ in found - {k.uid for k in rows}:
            assert (folder in swept) == folder.startswith(".")
            assert (folder in adopted) == (not folder.startswith("."))
    for row in rows:
        there_now = row.uid in there.get(row.folder, frozenset())
        wrong = (row.state is Instance.SPOOLED and not there_now) or (row.state is Instance.PURGED and there_now)
        assert wrong == any(isinstance(a, Alarm) and a.uid == row.uid for a in actions)


@given(files, known)
def test_what_follows_for_a_part_of_the_spool_follows_for_the_whole(
    there: dict[str, frozenset[str]], rows: list[Known]
) -> None:
    parts = []
    for folder, found in there.items():
        elsewhere = frozenset(k.uid for k in rows if k.folder != folder)
        parts += plan({folder: found}, [k for k in rows if k.folder == folder], elsewhere)
    parts += plan({}, [k for k in rows if k.folder not in there])
    assert sorted(map(str, parts)) == sorted(map(str, plan(there, rows)))


def test_a_file_that_has_vanished_is_an_alarm_and_is_not_sent(settings: Settings, pacs: Pacs) -> None:
    record(settings, somebodys_exam(settings).exam, 50)
    first = Box(settings, pacs)
    first.take_in()
    first.ledger.close()
    (path,) = settings.places.instances.glob("*/*.dcm")
    path.unlink()
    second = Box(settings, pacs)
    second.take_in()
    second.deliver()
    assert not pacs.stores
    assert "vanished" in second.ledger.query("SELECT corrupt FROM instances")[0]["corrupt"]
    second.ledger.close()
    third = Box(settings, pacs)
    third.purger.turn()
    assert list(settings.places.acquisitions.iterdir())  # the raw recording is all that is left of it


def test_an_instance_without_its_raw_recording_is_sent_all_the_same(settings: Settings, pacs: Pacs) -> None:
    name = record(settings, somebodys_exam(settings).exam, 50)
    first = Box(settings, pacs)
    first.take_in()
    first.ledger.close()
    for path in [*settings.box.data.glob("ledger*"), *settings.places.acquisition(name).iterdir()]:
        path.unlink()
    settings.places.acquisition(name).rmdir()
    second = Box(settings, pacs)
    second.run()
    assert len(pacs.committed) == 1


def test_a_file_among_the_instances_that_is_no_instance_stops_nobody(settings: Settings, pacs: Pacs) -> None:
    folder = settings.places.instances / "STRANGE"
    folder.mkdir(parents=True)
    (folder / "2.25.1.dcm").write_bytes(b"not DICOM")
    record(settings, somebodys_exam(settings).exam, 50)
    box = Box(settings, pacs)
    box.run()
    assert len(pacs.committed) == 1
    assert (folder / "2.25.1.dcm").exists()
