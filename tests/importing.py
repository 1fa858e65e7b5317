"""Two boards and a stick: the one that died, and the one that reads what it left."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spooling import CLOCK, DESTINATION, Box, Pacs, record, somebodys_exam
from transfer.media.samples import data_set, write

from gateway import configuration
from gateway.settings import Settings
from gateway.spool import imports
from gateway.spool.desk import Desk
from gateway.spool.imports import Imports
from gateway.transfer.carrier import Carrier
from gateway.transfer.importing import Imported, Importer
from gateway.transfer.media import fileset, reading

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
institution_name = "{institution}"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = {reserve}
[[device]]
name = "ecg1"
adapter = "simulated"
[media]
folder = "{stick}"
"""


def configured(
    folder: Path, stick: Path, institution: str = "", reserve: int = 0, policy: str = "commitment", pacs: bool = True
) -> Settings:
    folder.mkdir()
    text = CONFIGURATION.format(folder=folder, stick=stick, institution=institution, reserve=reserve)
    text += DESTINATION.format(name="pacs", port=104, policy=policy) if pacs else ""
    path = folder / "gateway.toml"
    path.write_text(text)
    return configuration.load(path)


def board_that_dies(folder: Path, stick: Path, recordings: int, **record_as: Any) -> list[str]:
    """Records, carries to the stick, and is thrown away; returns the UIDs."""
    settings = configured(folder, stick)
    exam = somebodys_exam(settings).exam
    for _ in range(recordings):
        record(settings, exam, 500, **record_as)
    box = Box(settings, Pacs())
    box.take_in()
    stick.mkdir(exist_ok=True)
    Carrier(settings, box.ledger, CLOCK).turn()
    assert set(box.states("media").values()) == {"STORED"}
    box.ledger.close()
    fileset._open.clear()
    shutil.rmtree(folder)
    return sorted(box_uids(stick))


def box_uids(stick: Path) -> list[str]:
    return [one.uid for one in reading.read(stick, stick.parent / "no register").instances]


class Board(Box):
    """The one that imports."""

    def __init__(self, settings: Settings, pacs: Pacs) -> None:
        super().__init__(settings, pacs)
        self.imports = Imports(settings, self.ledger, CLOCK, lambda: self.recovery.done)
        self.desk = Desk(settings, self.ledger, CLOCK, self.rewrap, self.remake, lambda: None)
        self.take_in()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the command asks forward, which works on meanwhile."""
        self.imports.turn()
        return self.imports.handlers[request["do"]](request)

    def import_(
        self, stick: Path, release: bool = False, dry: bool = False, beat: Callable[[str], None] = lambda _: None
    ) -> Imported:
        with imports.claimed(self.settings.places):
            medium = reading.read(stick, self.settings.places.media)
            return Importer(self.settings, self.ask, "ann", beat, release, dry).run(medium)

    def decide(self, do: str, subject: str, **more: str) -> str:
        return str(self.desk.handlers[do]({"do": do, "who": "ann", "instance": subject, **more})["words"])

    def settle(self) -> None:
        """The couriers do all they can, and nobody waits for a pause to end."""
        for _ in range(4):
            for courier in self.couriers:
                courier.pause.end()
            with self.ledger.change() as c:
                c.execute("UPDATE deliveries SET next_try = 0")
            self.deliver()


def foreign(folder: Path, patients: Sequence[str] = ("P1", "P2"), **values: Any) -> list[str]:
    """Files as another program leaves them, without a DICOMDIR."""
    folder.mkdir(exist_ok=True)
    return sorted(write(folder, data_set(PatientID=one, **values)).sop_instance_uid for one in patients)


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
