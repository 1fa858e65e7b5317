"""A corrupt or hostile medium cannot hang or harm the box: each case ends, in bounded memory, with words.

Every operation runs in a process of its own that may not map more than 320 MiB beyond what Python has. What a case says
of an operation is how it ends ("fine" or a kind of answer); nothing may change on a medium that is refused.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tiers import only_slow
from transfer.media.hostile import attempt
from transfer.media.samples import data_set, write

from gateway.errors import Held
from gateway.transfer import media
from gateway.transfer.media import fileset, walking
from gateway.transfer.media.dicomdir.elements import (
    ITEM_HEAD,
    ITEM_TAIL,
    SEQUENCE_TAIL,
    UNDEFINED,
    Malformed,
    Window,
    encode,
)
from gateway.transfer.media.dicomdir.structure import read_records, read_top

OURS = "1.2.3"


def top(first: int, records: bytes, length: int = UNDEFINED, more: bytes = b"", author: str = OURS) -> bytes:
    """A DICOMDIR with these records; the first one starts at :data:`FIRST` unless there is more before."""
    meta = encode(0x00020001, b"OB", b"\0\1") + encode(0x00020002, b"UI", b"1.2.840.10008.1.3.10")
    meta += encode(0x00020003, b"UI", b"1.2.3.4") + encode(0x00020010, b"UI", b"1.2.840.10008.1.2.1")
    meta += encode(0x00020012, b"UI", author.encode())
    front = bytes(128) + b"DICM" + encode(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta
    front += encode(0x00041130, b"CS", b"HOSTILE") + encode(0x00041200, b"UL", struct.pack("<I", first))
    front += encode(0x00041202, b"UL", struct.pack("<I", first)) + encode(0x00041212, b"US", b"\0\0") + more
    return front + struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, length) + records


FIRST = len(top(0, b""))


def record(kind: bytes, after: int = 0, lower: int = 0, more: bytes = b"") -> bytes:
    links = encode(0x00041400, b"UL", struct.pack("<I", after)) + encode(0x00041410, b"US", b"\xff\xff")
    links += encode(0x00041420, b"UL", struct.pack("<I", lower)) + encode(0x00041430, b"CS", kind)
    return ITEM_HEAD + links + more + ITEM_TAIL


def named(file_id: bytes) -> bytes:
    """A file's record, with this File ID."""
    found = encode(0x00041500, b"CS", file_id) + encode(0x00041510, b"UI", b"1.2.840.10008.5.1.4.1.1.9.1.1")
    return record(b"WAVEFORM", more=found + encode(0x00041511, b"UI", b"1.2.3.5") + encode(0x00041512, b"UI", b"1.2"))


def in_dicomdir(data: bytes, grown_to: int = 0) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        with (root / "DICOMDIR").open("wb") as stream:
            stream.write(data)
            stream.truncate(max(grown_to, len(data)))

    return make


def chain(count: int) -> bytes:
    """Records one below the other, each of which names the next."""
    size = len(record(b"PRIVATE"))
    return b"".join(record(b"PRIVATE", 0, FIRST + (i + 1) * size) for i in range(count))


def nested(depth: int) -> bytes:
    head = struct.pack("<HH2sHI", 0x0004, 0x1600, b"SQ", 0, UNDEFINED)
    return record(b"PATIENT", more=depth * (head + ITEM_HEAD) + depth * (ITEM_TAIL + SEQUENCE_TAIL))


def many_records(root: Path) -> None:
    size = len(record(b"PATIENT"))
    with (root / "DICOMDIR").open("wb") as stream:
        stream.write(top(FIRST, b""))
        for i in range(0, 400_001, 1000):
            stream.write(b"".join(record(b"PATIENT", FIRST + (i + j + 1) * size) for j in range(1000)))
        stream.write(SEQUENCE_TAIL)


def patients(count: int) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        size = len(record(b"PATIENT", more=encode(0x00100020, b"LO", b"ABCDEFGHIJ")))
        with (root / "DICOMDIR").open("wb") as stream:
            stream.write(top(FIRST, b""))
            for i in range(1, count + 1):
                after = FIRST + i * size if i < count else 0
                stream.write(record(b"PATIENT", after, more=encode(0x00100020, b"LO", b"%010d" % i)))
            stream.write(SEQUENCE_TAIL)

    return make


def instead_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(root: Path) -> None:
        path = root / name
        if path.is_dir():
            path.rename(root.parent / f"was {path.name}")
        else:
            path.unlink(missing_ok=True)
        make(path)

    return replace


def sparse(size: int) -> Callable[[Path], object]:
    return lambda path: (path.touch(), os.truncate(path, size))


def link_to(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def a_million_names(root: Path) -> None:
    """Hard links: one inode, many entries."""
    folder = root / "PA000001/ST000001/SE000001"
    one = folder / "IN000999"
    one.write_bytes(b"")
    for i in range(20_000):
        os.link(one, folder / f"X{i:07}")


MOST_READ = 512 << 20  # bytes; the largest DICOMDIR that is believed here has 40 MB
ALL = ("add", "verify", "status", "repair", "import")


@dataclass(frozen=True)
class Case:
    """``plant`` it on an empty medium, or on one of ours (``filled``); ``ends``: how, by operation.

    ``words``: of the operation that ``says`` them; ``only`` these operations are tried.
    """

    plant: Callable[[Path], None]
    ends: dict[str, str]
    words: str
    says: str = "verify"
    filled: bool = False
    only: tuple[str, ...] = field(default=ALL)
    slow: bool = False  # for the slow tier


REFUSED = {"add": "Held", "verify": "fine", "status": "Held", "repair": "Held", "import": "fine"}
READ = REFUSED | {"status": "fine"}  # each record is sound by itself
NAMED = READ | {"add": "fine"}  # the record keeps its bytes, and no file of that name is ever opened
STRANGE = dict.fromkeys(ALL, "Held")
OVER = dict.fromkeys(ALL, "fine")
CASES: dict[str, Case] = {
    "a record that is its own next": Case(
        in_dicomdir(top(FIRST, record(b"PATIENT", FIRST) + SEQUENCE_TAIL)), READ, "reached a second time"
    ),
    "a record that is below itself": Case(
        in_dicomdir(top(FIRST, record(b"PATIENT", 0, FIRST) + SEQUENCE_TAIL)), READ, "reached a second time"
    ),
    "a link into the header": Case(
        in_dicomdir(top(12, record(b"PATIENT") + SEQUENCE_TAIL)), READ, "where no directory record starts"
    ),
    "20 000 levels of records": Case(
        in_dicomdir(top(FIRST, chain(20_000) + SEQUENCE_TAIL)), READ, "where no directory record starts"
    ),
    "more than 400 000 records": Case(
        many_records, REFUSED, "more than 400000 directory records", "status", only=("status", "add"), slow=True
    ),
    "as many records as are read": Case(patients(400_000), READ, "800001 problems", only=("verify",), slow=True),
    "100 000 patients with nothing below them": Case(
        patients(100_000), READ | {"add": "fine"}, "200001 problems", only=("verify", "add"), slow=True
    ),
    "20 000 patients with nothing below them": Case(
        patients(20_000), READ | {"add": "fine"}, "40001 problems", only=("verify", "add")
    ),
    "a File ID that climbs out": Case(
        in_dicomdir(top(FIRST, named(b"..\\..\\ETC") + SEQUENCE_TAIL)), NAMED, "which is not allowed"
    ),
    "an absolute File ID": Case(
        in_dicomdir(top(FIRST, named(b"\\ETC") + SEQUENCE_TAIL)), NAMED, "which is not allowed"
    ),
    "a File ID that drives a terminal": Case(
        in_dicomdir(top(FIRST, named(b"A\x1b[2J") + SEQUENCE_TAIL)), NAMED, "which is not allowed"
    ),
    "sequences 5 000 deep": Case(in_dicomdir(top(FIRST, nested(5000) + SEQUENCE_TAIL)), REFUSED, "nested more than 16"),
    "an item longer than the file": Case(
        in_dicomdir(top(FIRST, struct.pack("<HHI", 0xFFFE, 0xE000, 0x7FFFFFFF))), REFUSED, "beyond"
    ),
    "a sequence longer than the file": Case(in_dicomdir(top(FIRST, b"", 0x7FFFFFFF)), REFUSED, "beyond the file's end"),
    "a sequence without an end": Case(in_dicomdir(top(FIRST, record(b"PATIENT"))), REFUSED, "DICOMDIR: "),
    "meta information of 800 MB": Case(
        in_dicomdir(bytes(128) + b"DICM" + encode(0x00020000, b"UL", struct.pack("<I", 800 << 20)), 900 << 20),
        REFUSED,
        "the file meta information says",
    ),
    "a million elements in a record": Case(
        in_dicomdir(
            top(FIRST, record(b"PATIENT", more=b"".join(encode(0x10000000 + i, b"LO", b"") for i in range(1_000_000))))
        ),
        REFUSED,
        "holds more than can be believed",
    ),
    "20 million elements in a sequence": Case(
        in_dicomdir(
            top(
                FIRST,
                record(
                    b"PATIENT",
                    more=struct.pack("<HH2sHI", 4, 0x1600, b"SQ", 0, UNDEFINED)
                    + ITEM_HEAD
                    + b"\x08\0\x01\0LO\0\0" * 20_100_000,
                ),
            )
        ),
        REFUSED,
        "looks did not suffice",
        only=("verify",),
        slow=True,
    ),
    "64 KB in each of many elements": Case(
        in_dicomdir(
            top(
                FIRST,
                record(b"PATIENT", more=b"".join(encode(0x10000000 + i, b"LO", bytes(65534)) for i in range(900))),
            )
        ),
        REFUSED,
        "holds more than can be believed",
    ),
    "a DICOMDIR of 100 GB of nothing": Case(
        in_dicomdir(top(FIRST, record(b"PATIENT")), 100 << 30), REFUSED, "more than a DICOMDIR that can be believed"
    ),
    "100 GB of zeros": Case(in_dicomdir(b"", 100 << 30), REFUSED, "more than a DICOMDIR"),
    "a pipe as DICOMDIR": Case(instead_of("DICOMDIR", os.mkfifo), REFUSED, "no regular file"),
    "a folder as DICOMDIR": Case(instead_of("DICOMDIR", Path.mkdir), REFUSED, "no regular file"),
    "a device as DICOMDIR": Case(instead_of("DICOMDIR", link_to("/dev/zero")), REFUSED, "is a link"),
    "a pipe as LOCK": Case(
        instead_of("GATEWAY/LOCK", os.mkfifo),
        {"add": "Held", "verify": "fine", "status": "fine", "repair": "Held", "import": "fine"},
        "LOCK is no file",
        "add",
        filled=True,
    ),
    "a folder as LOCK": Case(
        instead_of("GATEWAY/LOCK", Path.mkdir),
        {"add": "Held", "verify": "fine", "status": "fine", "repair": "Held", "import": "fine"},
        "LOCK is no file",
        "repair",
        filled=True,
    ),
    "a link as LOCK": Case(
        instead_of("GATEWAY/LOCK", link_to("/dev/null")),
        {"add": "Held", "verify": "fine", "status": "fine", "repair": "Held", "import": "fine"},
        "LOCK is a link",
        "add",
        filled=True,
    ),
    "a pipe as list of hashes": Case(
        instead_of("GATEWAY/SHA256.TXT", os.mkfifo), STRANGE | {"status": "fine"}, "no regular file", filled=True
    ),
    "a device as list of hashes": Case(
        instead_of("GATEWAY/SHA256.TXT", link_to("/dev/zero")), STRANGE | {"status": "fine"}, "is a link", filled=True
    ),
    "10 GB of zeros as list of hashes": Case(
        instead_of("GATEWAY/SHA256.TXT", sparse(10 << 30)),
        STRANGE | {"status": "fine", "add": "fine"},
        "longer than any list of a gateway",
        filled=True,
    ),
    "a pipe as list of what was removed": Case(
        instead_of("GATEWAY/REMOVED.TXT", os.mkfifo),
        STRANGE | {"status": "fine"},
        "no regular file",
        filled=True,
    ),
    "10 GB as the other program's DICOMDIR": Case(
        instead_of("GATEWAY/DICOMDIR.ORG", sparse(10 << 30)),
        {"add": "fine", "verify": "fine", "status": "fine", "repair": "Held", "import": "fine"},
        "DICOMDIR.ORG is damaged",
        "repair",
        filled=True,
    ),
    "a link as folder of ours": Case(
        instead_of("GATEWAY", link_to("/tmp")),
        {"add": "Held", "verify": "Held", "status": "fine", "repair": "Held", "import": "Held"},
        "a link",
        "add",
        filled=True,
    ),
    "a link as a patient's folder": Case(
        instead_of("PA000001", link_to("/")),
        {"add": "fine", "verify": "fine", "status": "fine", "repair": "fine", "import": "fine"},
        "there is no such file",
        filled=True,
    ),
    "a pipe where an instance should be": Case(
        instead_of("PA000001/ST000001/SE000001/IN000001", os.mkfifo), OVER, "there is no such file", filled=True
    ),
    "an instance of 8 TB": Case(
        instead_of("PA000001/ST000001/SE000001/IN000001", sparse(8 << 40)),
        OVER,
        "",
        only=("add", "status", "import"),
        filled=True,
    ),
    "many names in a folder": Case(a_million_names, OVER, "IN000999 is there", filled=True),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "stick"
    made.mkdir()
    return made


def fill(root: Path, spool: Path) -> None:
    spool.mkdir()
    for patient in ("P1", "P2"):
        media.add(root, write(spool, data_set(PatientID=patient)), "WARD")
    fileset._open.clear()


def state(root: Path) -> dict[str, tuple[int, ...]]:
    """What can be told of a tree without opening anything strange in it."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            stat = os.lstat(Path(folder) / name)
            changed = 0 if name in folders else stat.st_mtime_ns  # a folder's: a temporary file came and went
            found[str(Path(folder, name))] = (stat.st_mode, stat.st_size, stat.st_ino, changed)
    return found


@pytest.mark.parametrize("name", [pytest.param(n, marks=[only_slow] if c.slow else []) for n, c in CASES.items()])
def test_it_ends_in_bounded_memory_with_words_and_what_is_refused_is_untouched(
    name: str, root: Path, tmp_path: Path
) -> None:
    case = CASES[name]
    if case.filled:
        fill(root, tmp_path / "filled")
    case.plant(root)
    for together in (("verify", "status", "import"), ("repair",), ("add",)):
        before = state(root)
        for verb, said in attempt([v for v in together if v in case.only], root, tmp_path / "spool").items():
            assert said.how == case.ends[verb], (verb, said)
            assert said.read < MOST_READ
            assert "Traceback" not in said.words
            assert "\x1b" not in said.words
            if verb == case.says:
                assert case.words in said.words, (verb, said)
            if said.how != "fine" or "verify" in together:
                assert state(root) == before, (verb, said)


def test_a_file_system_whose_folders_contain_themselves_ends_at_a_count(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FAT may say so; here the walk is led in a circle by the seam that lists a folder."""
    fill(root, root.parent / "spool")
    monkeypatch.setattr(walking, "MOST_ENTRIES", 5000)
    for i in range(9):
        (root / "A" / f"D{i}").mkdir(parents=True)
    real, looked = os.open, []

    def circle(path: object, flags: int, mode: int = 0o777, dir_fd: int | None = None) -> int:
        looked.append(path)
        if dir_fd is not None and str(path).startswith("D"):
            return real(root / "A", flags)
        return real(path, flags, mode, dir_fd=dir_fd)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", circle)
    with pytest.raises(Held, match="folders that contain themselves"):
        list(walking.walk(root))
    assert len(looked) < 5000
    assert len(list(walking.walk(root, walking.OURS))) == 2  # four levels, whatever they contain


def test_every_look_into_a_file_is_counted(root: Path) -> None:
    in_dicomdir(top(FIRST, record(b"PATIENT") * 200 + SEQUENCE_TAIL))(root)
    descriptor = os.open(root / "DICOMDIR", os.O_RDONLY)
    try:
        assert len(list(read_records(Window(descriptor), read_top(Window(descriptor))))) == 200
        source = Window(descriptor, most=300)
        with pytest.raises(Malformed, match="300 looks did not suffice"):
            list(read_records(source, read_top(source)))
    finally:
        os.close(descriptor)


def test_a_medium_that_changes_while_it_is_read_ends_in_words(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(root, root.parent / "spool")
    real, count = os.pread, []

    def shrink(descriptor: int, size: int, at: int) -> bytes:
        count.append(at)
        if len(count) == 2:
            os.truncate(root / "DICOMDIR", 700)
        return real(descriptor, size, at)

    monkeypatch.setattr(os, "pread", shrink)
    assert not media.verify(root).sound
