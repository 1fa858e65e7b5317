"""A stick comes back: what the PACS lacks is sent, once; what nobody can vouch for waits for a person."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from importing import Board, board_that_dies, box_uids, configured, foreign, tree
from peers import need
from spooling import Pacs
from transfer.media.samples import SECONDARY_CAPTURE, data_set, rewrite_hashes, write

from gateway import fsops
from gateway.errors import Held, Misuse, Retry
from gateway.spool import imports, instances
from gateway.transfer import importing
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.media import hashes, reading, tombstones


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return tmp_path / "stick"


@pytest.fixture
def board(tmp_path: Path, stick: Path) -> Board:
    return Board(configured(tmp_path / "b", stick), Pacs())


def test_of_a_dead_boards_stick_only_what_the_pacs_lacks_is_sent_and_all_is_committed(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    uids = board_that_dies(tmp_path / "a", stick, 6)
    pacs = board.pacs
    pacs.held = dict.fromkeys(uids[:3], b"it has it already")
    done = board.import_(stick)
    assert (done.taken, done.held, done.known, done.left_out) == (6, 0, 0, [])
    assert set(board.states().values()) == {"STORED"}
    board.settle()
    assert set(board.states().values()) == {"COMMITTED"}
    assert sorted(pacs.stores) == uids[3:]
    assert pacs.committed == set(uids)
    assert board.purger.turn() == 6
    assert not list(board.settings.places.instances.iterdir())


def test_given_again_nothing_happens_also_after_the_instances_were_purged(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    board_that_dies(tmp_path / "a", stick, 3)
    board.import_(stick)
    again = board.import_(stick)
    assert (again.taken, again.known, again.name) == (0, 3, "")
    board.settle()
    board.purger.turn()
    assert board.import_(stick).known == 3
    assert Counter(board.pacs.stores).most_common(1)[0][1] == 1
    assert len(audit_lines(board)) == 1


def test_what_came_from_a_medium_goes_to_no_medium(tmp_path: Path, stick: Path, board: Board) -> None:
    board_that_dies(tmp_path / "a", stick, 2)
    board.import_(stick)
    assert board.states("media") == {}


def test_the_medium_is_not_touched_and_a_dry_run_touches_nothing(tmp_path: Path, stick: Path, board: Board) -> None:
    board_that_dies(tmp_path / "a", stick, 2)
    before, here = tree(stick), sorted(board.settings.box.data.rglob("*"))
    done = board.import_(stick, dry=True)
    assert (done.taken, len(done.patients)) == (2, 1)
    assert sorted(p for p in board.settings.box.data.rglob("*") if p.name != ".import.lock") == here
    board.import_(stick)
    assert tree(stick) == before


@pytest.mark.parametrize("how", ["a flipped bit", "cut short", "longer", "gone", "a link", "another object"])
def test_a_damaged_file_is_named_and_left_out_and_the_others_are_taken(
    how: str, tmp_path: Path, stick: Path, board: Board
) -> None:
    board_that_dies(tmp_path / "a", stick, 3)
    path = sorted(stick.glob("PA*/*/*/*"))[1]
    data = path.read_bytes()
    path.unlink()
    if how == "a link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif how == "another object":
        path.write_bytes(Path(write(tmp_path, data_set()).path).read_bytes())
    elif how != "gone":
        changed = {"a flipped bit": data[:-9] + bytes([data[-9] ^ 4]) + data[-8:], "cut short": data[:-4]}
        path.write_bytes(changed.get(how, data + b"\0\0"))
    done = board.import_(stick)
    assert done.taken == 2
    assert [file_id for file_id, _ in done.left_out] == [path.relative_to(stick).as_posix()]


def test_what_no_gateway_remembers_is_held_until_a_person_says_that_it_belongs_here(stick: Path, board: Board) -> None:
    uids = foreign(stick)
    done = board.import_(stick)
    assert (done.taken, done.held, len(done.patients)) == (2, 2, 2)
    board.settle()
    assert not board.pacs.stores
    assert not board.pacs.asked
    words = board.delivery(uids[0])["held"]
    assert words.startswith("from other media, check that its patient belongs here: gateway queue release ")
    assert board.decide("release", done.name) == "2 imported instances, each: 1 deliveries go on"
    board.settle()
    assert sorted(board.pacs.stores) == uids
    assert [line["subject"] for line in audit_lines(board) if line["what"] == "release"] == uids


def test_what_is_held_stays_held_without_the_ledger_and_what_was_released_is_asked_for_first(
    stick: Path, board: Board
) -> None:
    uids = foreign(stick)
    board.import_(stick)
    board.decide("release", uids[0])
    again = without_its_ledger(board)
    assert again.delivery(uids[0])["held"] is None
    assert again.delivery(uids[0])["state"] == "STORED"
    assert "check that its patient" in again.delivery(uids[1])["held"]
    again.settle()
    assert again.pacs.stores == [uids[0]]
    assert again.import_(stick).known == 2


def test_said_beforehand_all_goes_on_and_the_audit_trail_says_who_said_so(stick: Path, board: Board) -> None:
    uids = foreign(stick)
    done = board.import_(stick, release=True)
    assert (done.taken, done.held) == (2, 0)
    board.settle()
    assert sorted(board.pacs.stores) == uids
    (line,) = audit_lines(board)
    assert (line["who"], line["what"], line["subject"]) == ("ann", "import", done.name)
    assert "released beforehand" in line["why"]


def test_a_file_that_a_gateway_wrote_before_its_hash_was_kept_is_found_and_held(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    board_that_dies(tmp_path / "a", stick, 2)
    rewrite_hashes(stick, dict(list(hashes.remembered(stick).items())[:1]))
    (stick / "DICOMDIR").unlink()
    done = board.import_(stick)
    assert (done.taken, done.held) == (2, 1)
    assert done.medium.how == "by its files (it has no DICOMDIR)"


def test_what_names_another_institution_is_held_though_a_gateway_made_it(tmp_path: Path, stick: Path) -> None:
    board_that_dies(tmp_path / "a", stick, 1)
    path = next(stick.glob("PA*/*/*/*"))
    data = path.read_bytes()
    at = data.index(b"\x08\0\x20\x00DA")
    named = b"\x08\0\x80\x00LO\x08\0ELSEWERE"
    at = data.index(b"\x08\0\x90\0", at)
    path.write_bytes(data[:at] + named + data[at:])
    rewrite_hashes(stick, {path.relative_to(stick).as_posix(): hashes.of_file(path)})
    assert Board(configured(tmp_path / "b", stick, "HERE"), Pacs()).import_(stick).held == 1
    assert Board(configured(tmp_path / "c", stick, "ELSEWERE"), Pacs()).import_(stick).held == 0


def test_a_uid_with_other_bytes_than_the_box_has_is_said_and_never_overwrites(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    (uid,) = foreign(stick, ("P1",))
    board.import_(stick, release=True)
    (kept,) = board.settings.places.instances.glob("*/*.dcm")
    before = kept.read_bytes()
    write(stick, data_set(PatientID="P9", SOPInstanceUID=uid))
    done = board.import_(stick, release=True)
    assert (done.taken, done.known) == (0, 0)
    assert "this box has another object with its UID" in done.other[0][1]
    assert kept.read_bytes() == before


def test_two_objects_with_one_uid_on_a_medium_are_both_left_and_two_copies_of_one_are_one(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    (uid,) = foreign(stick, ("P1",))
    (stick / "copy").mkdir()
    (stick / "copy" / "A.DCM").write_bytes((stick / f"{uid}.dcm").read_bytes())
    assert board.import_(stick, dry=True).taken == 1
    write(stick / "copy", data_set(PatientID="P2", SOPInstanceUID=uid))
    done = board.import_(stick)
    assert done.taken == 0
    assert len(done.other) == 3


def test_the_boxs_own_register_must_agree_with_the_list_on_the_medium(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    board_that_dies(tmp_path / "a", stick, 2)
    medium = reading.read(stick, tmp_path)
    mine = fsops.make_folder(board.settings.places.media / medium.file_set_uid) / hashes.NAME
    mine.write_bytes(hashes.place(stick).read_bytes())
    assert board.import_(stick, dry=True).taken == 2
    mine.write_bytes(mine.read_bytes().replace(b"  PA", b"  PA", 1).replace(mine.read_bytes()[:4], b"0000", 1))
    done = board.import_(stick)
    assert done.taken == 1
    assert "is not what this box does" in done.left_out[0][1]


def test_what_a_person_took_off_the_medium_does_not_come_back_though_the_removal_was_cut_off(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    uids = board_that_dies(tmp_path / "a", stick, 2)
    path = next(p for p in stick.glob("PA*/*/*/*") if uids[0].encode() in p.read_bytes()[:2000])
    tombstones.put(stick, path.relative_to(stick).as_posix(), uids[0])
    done = board.import_(stick)
    assert list(board.states()) == [uids[1]]
    assert "taken off this medium on purpose" in done.left_out[0][1]


def test_a_test_recording_is_known_again_and_may_be_discarded(tmp_path: Path, stick: Path, board: Board) -> None:
    (uid,) = board_that_dies(tmp_path / "a", stick, 1, test=True)
    board.import_(stick)
    assert board.ledger.query("SELECT test FROM instances")[0]["test"] == 1
    board.decide("discard", uid)
    board.purger.turn()
    assert not list(board.settings.places.instances.iterdir())


def test_a_pacs_without_commitment_gets_all_and_drops_what_it_has(tmp_path: Path, stick: Path) -> None:
    uids = board_that_dies(tmp_path / "a", stick, 2)
    board = Board(configured(tmp_path / "b", stick, policy="stored"), Pacs())
    board.import_(stick)
    board.settle()
    assert sorted(board.pacs.stores) == uids
    assert board.purger.turn() == 2


@pytest.mark.parametrize("reason", [0x0112, 0x0110, 0x0213, 0x0122, 0xC001])
def test_whatever_the_pacs_says_of_what_it_was_never_sent_it_gets_it_once(
    reason: int, tmp_path: Path, stick: Path, board: Board
) -> None:
    (uid,) = board_that_dies(tmp_path / "a", stick, 1)
    board.pacs.reasons[uid] = reason
    board.import_(stick)
    board.deliver()
    assert board.delivery(uid)["state"] == "QUEUED"
    board.pacs.reasons.clear()
    board.settle()
    assert board.pacs.stores == [uid]
    assert board.delivery(uid)["state"] == "COMMITTED"


def test_a_pacs_that_has_another_class_under_the_uid_gets_nothing(tmp_path: Path, stick: Path, board: Board) -> None:
    (uid,) = board_that_dies(tmp_path / "a", stick, 1)
    board.pacs.reasons[uid] = 0x0119
    board.import_(stick)
    board.settle()
    assert not board.pacs.stores
    assert "another kind of object" in board.delivery(uid)["held"]


def test_a_pacs_that_is_away_is_asked_again_and_one_that_never_reports_is_sent_it(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    (uid,) = board_that_dies(tmp_path / "a", stick, 1)
    board.pacs.away = Outcome("retry", "closed", "nothing listens")
    board.import_(stick)
    board.settle()
    assert board.delivery(uid)["state"] == "STORED"
    board.pacs.away, board.pacs.reports = None, False
    board.settle()
    assert board.delivery(uid)["state"] == "REQUESTED"
    with board.ledger.change() as c:
        c.execute("UPDATE transactions SET requested_at = 0")
    board.settle()
    assert board.pacs.stores == [uid]


def test_it_is_stopped_and_goes_on(tmp_path: Path, stick: Path, board: Board) -> None:
    uids = board_that_dies(tmp_path / "a", stick, 4)

    def stop(text: str) -> None:
        if text.startswith("3 of 4"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        board.import_(stick, beat=stop)
    assert not list(board.settings.places.instances.glob(".*.reading"))
    done = board.import_(stick)
    assert done.taken + done.known == 4
    board.settle()
    assert sorted(board.pacs.stores) == uids


def test_what_does_not_fit_is_said_before_anything_is_read(tmp_path: Path, stick: Path) -> None:
    board_that_dies(tmp_path / "a", stick, 2)
    board = Board(configured(tmp_path / "b", stick, reserve=1 << 20), Pacs())
    with pytest.raises(Held, match="1 MiB that this box lacks, its disk has 0 MiB"):
        board.import_(stick)
    assert not list(board.settings.places.data.glob("instances/*"))


def test_a_file_that_says_more_than_any_disk_has_is_left_out_and_bars_no_other(stick: Path, board: Board) -> None:
    foreign(stick, ("P1",))
    liar = write(stick, data_set())
    with Path(liar.path).open("r+b") as stream:
        stream.truncate(1 << 43)
    done = board.import_(stick)
    assert done.taken == 1
    assert "its file says 8388608 MiB" in done.left_out[0][1]


def test_without_a_destination_or_before_the_spool_is_known_nothing_is_imported(tmp_path: Path, stick: Path) -> None:
    board_that_dies(tmp_path / "a", stick, 1)
    with pytest.raises(Misuse, match="no destination is configured"):
        Board(configured(tmp_path / "b", stick, pacs=False), Pacs()).import_(stick)
    board = Board(configured(tmp_path / "c", stick), Pacs())
    board.recovery.done = False
    with pytest.raises(Retry, match="still looking"):
        board.import_(stick)


def test_one_medium_at_a_time(stick: Path, board: Board) -> None:
    foreign(stick)
    with imports.claimed(board.settings.places), pytest.raises(Retry, match="another medium is being imported"):
        board.import_(stick)


def test_what_is_held_for_want_of_a_destination_is_held_for_the_one_that_comes(
    tmp_path: Path, stick: Path, board: Board
) -> None:
    (uid,) = foreign(stick, ("P1",))
    board.import_(stick)
    with board.ledger.change() as c:
        c.execute("DELETE FROM deliveries")
        c.execute("UPDATE instances SET unrouted = 1")
    board.ledger.close()
    again = Board(board.settings, board.pacs)
    again.take_in()
    assert "check that its patient" in again.delivery(uid)["held"]
    assert again.delivery(uid)["state"] == "STORED"


def test_media_that_dcmmkdir_made_and_files_of_any_class_are_read(stick: Path, board: Board) -> None:
    stick.mkdir()
    for number, sop_class in enumerate((SECONDARY_CAPTURE, "1.2.840.10008.5.1.4.1.1.9.1.1")):
        made = write(stick, data_set(sop_class))
        Path(made.path).rename(stick / f"F{number}")
    (stick / "AUTORUN.INF").write_text("[autorun]")
    command = [need("dcmmkdir"), "--recurse", "+D", "DICOMDIR", "-Pgp", "F0", "F1"]
    subprocess.run(command, cwd=stick, check=True, capture_output=True, timeout=30)
    done = board.import_(stick)
    assert done.medium.why_not == ""
    assert (done.taken, done.held) == (2, 2)
    assert len(box_uids(stick)) == 2
    (stick / "F0").rename(stick / "f0;1")  # as some systems show it
    assert (again := board.import_(stick)).known == 2
    assert not again.left_out
    (stick / "DICOMDIR").write_bytes(b"x" * 400)
    again = board.import_(stick)
    assert (again.known, again.medium.others) == (2, 2)


@pytest.mark.parametrize("how", ["spoiled", "lost"])
def test_what_the_disk_has_spoiled_or_lost_is_given_back_by_the_medium(
    how: str, tmp_path: Path, stick: Path, board: Board
) -> None:
    (uid,) = board_that_dies(tmp_path / "a", stick, 1)
    board.import_(stick)
    (kept,) = board.settings.places.instances.glob("*/*.dcm")
    data = kept.read_bytes()
    if how == "spoiled":
        kept.write_bytes(data[:-1] + b"\x77")
    else:
        shutil.rmtree(kept.parent)
    instances.mark_corrupt(board.ledger, uid, "its file is not what was written")
    with pytest.raises(Held, match="import that again"):
        board.decide("release", uid)
    board.import_(stick)
    assert kept.read_bytes() == data
    board.settle()
    assert board.pacs.committed == {uid}
    assert board.purger.turn() == 1
    assert not list(board.settings.places.instances.iterdir())


def test_a_staged_instance_outlives_a_forward_that_is_not_there(
    tmp_path: Path, stick: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uid,) = board_that_dies(tmp_path / "a", stick, 1)
    take = board.imports.turn
    board.imports.turn = lambda *_: 0  # type: ignore[method-assign]
    monkeypatch.setattr(importing, "_PATIENCE", 0.0)
    with pytest.raises(Retry, match="staged, and forward does not take them"):
        board.import_(stick)
    assert board.states() == {}
    assert take() == 1
    assert board.states() == {uid: "STORED"}


def audit_lines(board: Board) -> list[dict[str, str]]:
    return [json.loads(line) for line in board.settings.places.audit.read_text().splitlines()]


def without_its_ledger(board: Board) -> Board:
    board.ledger.close()
    for path in board.settings.box.data.glob("ledger.sqlite*"):
        path.unlink()
    return Board(board.settings, board.pacs)
