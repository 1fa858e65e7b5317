"""What a person takes off a medium is never the copy that stands for the recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import configuration, local
from gateway.cli import main
from gateway.spool.desk import Desk
from gateway.transfer.carrier import Carrier


class Site:
    """A box with one recording, copied to a medium of its own."""

    def __init__(self, config: Path, stick: Path, policy: str) -> None:
        config.write_text(f'{config.read_text()}[media]\nfolder = "{stick}"\npolicy = "{policy}"\n')
        self.config, self.stick = config, stick
        settings = configuration.load(config)
        record(settings, somebodys_exam(settings).exam)
        self.box = Box(settings, Pacs())
        self.box.take_in()
        stick.mkdir()
        Carrier(settings, self.box.ledger, CLOCK).turn()
        (self.uid,) = self.box.states("media")
        desk = Desk(settings, self.box.ledger, CLOCK, self.box.rewrap, self.box.remake, lambda: None)
        self.server = local.Server(settings.places.socket("forward"), desk.handlers)

    def __call__(self, *command: str) -> int:
        return main(["--config", str(self.config), *command])

    @property
    def copies(self) -> int:
        return len(list(self.stick.glob("PA*/*/*/IN*")))


@pytest.fixture
def site(config: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(config, tmp_path / "stick", request.param)
    yield made
    made.server.close()


@pytest.mark.parametrize("site", ["copy"], indirect=True)
def test_a_copy_that_frees_nothing_is_taken_off(site: Site) -> None:
    assert site("media", "remove", site.uid) == 0
    assert site.copies == 0


@pytest.mark.parametrize("site", ["media-verified"], indirect=True)
def test_a_copy_that_the_box_counts_on_stays_until_a_person_waives_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site("media", "remove", site.uid) == 4
    assert f"gateway queue waive {site.uid} --destination media" in capsys.readouterr().err
    assert site.copies == 1
    assert site("queue", "waive", site.uid, "--destination", "media") == 0
    assert site("media", "remove", site.uid) == 0
    assert site.copies == 0


@pytest.mark.parametrize("site", ["media-verified"], indirect=True)
def test_the_only_copy_that_is_left_stays(site: Site) -> None:
    with site.box.ledger.change() as c:
        c.execute("UPDATE instances SET state = 'PURGED'")
    assert site("media", "remove", site.uid) == 4
    assert site.copies == 1


@pytest.mark.parametrize("site", ["media-verified"], indirect=True)
def test_while_forward_is_not_there_to_be_asked_nothing_is_taken_off(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.server.close()
    assert site("media", "remove", site.uid) == 3
    assert "forward is not running" in capsys.readouterr().err
    assert site.copies == 1


@pytest.mark.parametrize("site", ["media-verified"], indirect=True)
def test_what_this_box_does_not_know_is_not_its_affair(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site("media", "remove", "1.2.3") == 2
    assert "names the instance 1.2.3" in capsys.readouterr().err
