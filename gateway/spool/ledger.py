"""The ledger: what has become of each instance, in SQLite. Progress only; the files are the truth about data.

One connection, one lock: changes are few and short, and a change must be on the medium (synchronous=FULL)
before the next thing happens, so more connections would only wait for each other. The forward process is its
only writer. Every change of a state goes through :mod:`gateway.spool.states`, inside one SQL transaction.

A ledger of a newer format is refused untouched, an older one is brought up to date in one transaction. A damaged one
is set aside and a new one begun: everything still spooled is sent again, nothing is lost.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway import fsops
from gateway.errors import Fatal, Retry
from gateway.spool.ballast import Ballast

log = logging.getLogger(__name__)
VERSION = 5
# Primary result codes (sqlite.org/rescode.html): what passes by itself, and what a new start must look at.
_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY})
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_VERSION_AT = 60  # offset of user_version in the file header (sqlite.org/fileformat2.html, 1.3)

SCHEMA = """
CREATE TABLE acquisitions (
    id TEXT PRIMARY KEY, exam TEXT NOT NULL, device TEXT NOT NULL, test INTEGER NOT NULL,
    state TEXT NOT NULL, interrupted INTEGER NOT NULL DEFAULT 0, held TEXT
) WITHOUT ROWID;
CREATE INDEX acquisitions_by_exam ON acquisitions (exam);
CREATE INDEX acquisitions_held ON acquisitions (id) WHERE held IS NOT NULL;

CREATE TABLE instances (
    uid TEXT PRIMARY KEY, class TEXT NOT NULL, syntax TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    sha256 TEXT, folder TEXT NOT NULL, acquisition TEXT NOT NULL, exam TEXT NOT NULL, device TEXT NOT NULL,
    series_uid TEXT NOT NULL, series_description TEXT NOT NULL, protocol_name TEXT NOT NULL, modality TEXT NOT NULL,
    test INTEGER NOT NULL, wrapped_at REAL NOT NULL, state TEXT NOT NULL,
    corrupt TEXT, discarded INTEGER NOT NULL DEFAULT 0,
    settled_at REAL, -- when every destination had taken responsibility; 0 = under an untrusted clock; NULL = not yet
    checked_at REAL, -- when its file was last read and found as it was written; NULL = never since it was wrapped
    unrouted INTEGER NOT NULL DEFAULT 0 -- 1 = it goes to nobody who could take responsibility for it
) WITHOUT ROWID;
CREATE INDEX instances_by_acquisition ON instances (acquisition);
CREATE INDEX instances_by_exam ON instances (exam);
CREATE INDEX instances_by_folder ON instances (folder);
CREATE INDEX instances_settled ON instances (settled_at) WHERE state <> 'PURGED';
CREATE INDEX instances_purging ON instances (state) WHERE state = 'PURGING';
CREATE INDEX instances_corrupt ON instances (uid) WHERE corrupt IS NOT NULL;
CREATE INDEX instances_discarded ON instances (uid) WHERE discarded AND state = 'SPOOLED';

CREATE TABLE deliveries (
    instance TEXT NOT NULL REFERENCES instances (uid), destination TEXT NOT NULL, policy TEXT NOT NULL,
    state TEXT NOT NULL, held TEXT, waived TEXT, superseded_by TEXT, transaction_uid TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '', sent_sha256 TEXT,
    queued_at REAL NOT NULL, changed_at REAL NOT NULL,
    sent_syntax TEXT, -- the transfer syntax it was sent in, if another than its own; sent_sha256 is of that file then
    rank INTEGER NOT NULL DEFAULT 1, -- spool.states.Rank
    taken_by TEXT,      -- the stand-in whose it is now; it is not owed here
    stands_in_for TEXT, -- the destination that was down, in whose place this one gets it
    lost_before INTEGER, -- the destination did not have it: what transactions up to this number say of it is history
    PRIMARY KEY (instance, destination)
) WITHOUT ROWID;
CREATE INDEX deliveries_held ON deliveries (destination) WHERE held IS NOT NULL AND waived IS NULL;
CREATE INDEX deliveries_by_transaction ON deliveries (transaction_uid) WHERE transaction_uid IS NOT NULL;
CREATE INDEX deliveries_superseded ON deliveries (superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE transactions (
    uid TEXT PRIMARY KEY, destination TEXT NOT NULL, requested_at REAL NOT NULL, finished TEXT,
    number INTEGER NOT NULL DEFAULT 0 -- in the order of the requests, which no clock tells; those of format 4 have 0
) WITHOUT ROWID;
CREATE INDEX transactions_open ON transactions (destination, requested_at) WHERE finished IS NULL;

CREATE TABLE steps (
    exam TEXT NOT NULL, ris TEXT NOT NULL, state TEXT NOT NULL, held TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '', changed_at REAL NOT NULL, PRIMARY KEY (exam, ris)
) WITHOUT ROWID;
"""

# Since 2: what is asked at every start or every minute is found by an index, however many rows were purged.
_INDEXES_2 = """
CREATE INDEX instances_here ON instances (folder) WHERE state <> 'PURGED';
CREATE INDEX instances_unfinished ON instances (wrapped_at) WHERE state = 'SPOOLED' AND settled_at IS NULL;
CREATE INDEX instances_to_check ON instances (checked_at) WHERE state = 'SPOOLED' AND corrupt IS NULL;
CREATE INDEX acquisitions_open ON acquisitions (state) WHERE state <> 'WRAPPED';
CREATE INDEX deliveries_counted ON deliveries (destination, state, held, queued_at) WHERE waived IS NULL;
"""
# Since 4: rules, ranks and stand-ins. One index for each lane (spool.lanes), one for each question of a stand-in.
_INDEXES_4 = """
CREATE INDEX deliveries_to_send ON deliveries (destination, attempts, queued_at)
    WHERE state = 'QUEUED' AND held IS NULL AND waived IS NULL AND taken_by IS NULL;
CREATE INDEX deliveries_first ON deliveries (destination, rank, queued_at)
    WHERE state = 'QUEUED' AND held IS NULL AND waived IS NULL AND taken_by IS NULL AND rank < 2;
CREATE INDEX deliveries_taken ON deliveries (destination, taken_by) WHERE taken_by IS NOT NULL;
CREATE INDEX deliveries_standing_in ON deliveries (destination, state) WHERE stands_in_for IS NOT NULL;
CREATE INDEX deliveries_to_ask ON deliveries (destination, attempts, queued_at)
    WHERE state = 'STORED' AND policy IN ('commitment', 'verified') AND held IS NULL AND waived IS NULL;
CREATE INDEX instances_unrouted ON instances (uid) WHERE unrouted AND state = 'SPOOLED';
"""
_INDEXES_5 = "CREATE INDEX transactions_by_number ON transactions (number);"
SCHEMA += _INDEXES_2 + _INDEXES_4 + _INDEXES_5
_COLUMNS_4 = """
ALTER TABLE instances ADD COLUMN unrouted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN rank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN taken_by TEXT;
ALTER TABLE deliveries ADD COLUMN stands_in_for TEXT;
DROP INDEX deliveries_to_send;
DROP INDEX deliveries_to_ask;
UPDATE instances SET unrouted = 1 WHERE state = 'SPOOLED' AND folder = acquisition
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.instance = uid AND d.policy <> 'copy');
"""
# What brings a ledger of an older format to the next one.
MIGRATIONS = {
    1: f"ALTER TABLE instances ADD COLUMN checked_at REAL;{_INDEXES_2}",
    2: "ALTER TABLE deliveries ADD COLUMN sent_syntax TEXT;",
    3: f"{_COLUMNS_4}{_INDEXES_4}",
    4: "ALTER TABLE transactions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;"
    f"ALTER TABLE deliveries ADD COLUMN lost_before INTEGER;{_INDEXES_5}",
}


class Ledger:
    """The open ledger. :meth:`query` reads, :meth:`change` is one durable SQL transaction; any thread may use both."""

    def __init__(self, path: Path) -> None:
        fsops.make_folder(path.parent)
        self.path = path
        self._lock = threading.RLock()
        self.ballast = Ballast(path.parent)
        _refuse_newer(path, _version_in_header(path))
        try:
            self._open_with_room()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise Fatal(
                    f"{path} cannot be opened ({error})", "check the disk and the rights of its folder"
                ) from error
            _set_aside(path, str(error))
            self._open()

    def _open_with_room(self) -> None:
        """SQLite needs a few pages to open a ledger; without them its answer may be "I/O error" as well as "full"."""
        try:
            self._open()
        except sqlite3.OperationalError:
            if not self.ballast.throw_overboard():
                raise
            self._open()

    def _open(self) -> None:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            _refuse_newer(self.path, version)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("its pages contradict each other")
            if version == 0:
                connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
            elif version < VERSION:
                steps = "".join(MIGRATIONS[old] for old in range(version, VERSION))
                connection.executescript(f"BEGIN IMMEDIATE;{steps}PRAGMA user_version = {VERSION};COMMIT;")
                log.info("the ledger was of format %d, and is of format %d now; its states are kept", version, VERSION)
        except BaseException:
            connection.close()
            raise
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.chmod(fsops.FILE_MODE)
        self._connection = connection

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on the medium when the block is left without an error, undone otherwise.

        A change within a change of the same thread is a part of it: many small ones cost one sync.
        Raises Retry if there is no room for it now, Fatal if the ledger is damaged or the disk fails.
        """
        with self._lock, self._explained():
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                with fsops.step("commit", self.path):
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """All rows. Raises as :meth:`change` does."""
        with self._lock, self._explained():
            return self._connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the disk under the ledger, as what follows from them; errors of this program pass."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte of an extended code is the primary one
            if code == sqlite3.SQLITE_FULL:
                self.ballast.throw_overboard()
            if code in _PASSING:
                raise Retry(f"{self.path} cannot be changed now ({error})", "make room on the disk") from error
            if code in _BROKEN:
                raise Fatal(
                    f"{self.path} cannot be used any more ({error})",
                    "check the disk; a damaged ledger is set aside at the next start, and nothing is lost",
                ) from error
            raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _version_in_header(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            return int.from_bytes(stream.read(_VERSION_AT + 4)[_VERSION_AT:], "big")
    except FileNotFoundError:
        return 0


def _refuse_newer(path: Path, version: int) -> None:
    if version > VERSION:
        raise Fatal(
            f"{path} has format version {version}, newer than {VERSION}; it is left untouched",
            "upgrade the gateway, or move the file away: then everything still spooled is sent again",
        )


def _set_aside(path: Path, why: str) -> None:
    number = 1 + len(list(path.parent.glob(f"{path.name}.damaged-*")))
    aside = path.with_name(f"{path.name}.damaged-{number}")
    fsops.rename(path, aside)
    for end in ("-wal", "-shm"):
        fsops.unlink(path.with_name(path.name + end))
    log.error("the ledger was damaged (%s) and is set aside as %s: everything still spooled is sent again", why, aside)
