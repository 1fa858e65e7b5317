"""Several destinations, with real archives: rules and fan-out, and a stand-in through kill -9 and a lost ledger."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dcmtk import storescp
from orthanc import orthanc
from peers import need, running
from pydicom import dcmread
from spooling import record, somebodys_exam
from test_forward import ask, process
from waiting import eventually

from gateway import cli, configuration, local
from gateway.settings import Settings
from gateway.trial.ports import free_port

ARCHIVE = """
[[destination]]
name = "{name}"
ae_title = "{title}"
host = "127.0.0.1"
port = {port}
retry_first = 0.2
retry_most = 1
{more}
"""


def configured(config: Path, *archives: str, listener: int = 0) -> Settings:
    text = config.read_text().replace("port = 0", f'host = "127.0.0.1"\nport = {listener}')
    config.write_text(text + "".join(archives))
    return configuration.load(config)


@contextlib.contextmanager
def at_work(config: Path, kill: bool = False) -> Iterator[None]:
    """The process, ended as systemd does it, or as a power cut does."""
    forward = process(config)
    try:
        yield
        if not kill:
            forward.terminate()
            _, said = forward.communicate(timeout=30)
            assert b"Traceback" not in said
            assert forward.returncode == 0, said.decode()
    finally:
        forward.kill()
        forward.communicate()


def status(settings: Settings) -> dict[str, Any]:
    return local.ask_if_there(settings.places.socket("forward"), {"do": "status"}) or {}


def stored(folder: Path) -> set[str]:
    """UIDs of what storescp has; one that it is writing counts later."""
    found = set()
    for path in folder.iterdir():
        with contextlib.suppress(Exception):
            found.add(str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID))
    return found


def spooled(settings: Settings) -> set[str]:
    return {p.stem for p in settings.places.instances.glob("*/*.dcm")}


def test_each_archive_gets_what_its_rules_say_and_one_gets_everything(config: Path, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        folders = {n: tmp_path / n for n in ("all", "one", "emergencies")}
        ports = {n: stack.enter_context(storescp(f)) for n, f in folders.items()}
        more = {"all": "", "one": 'only_devices = ["ecg1"]', "emergencies": 'only_patients = ["unidentified"]'}
        settings = configured(
            config,
            *(
                ARCHIVE.format(name=n, title="ANY", port=ports[n], more=f'policy = "stored"\n{more[n]}')
                for n in folders
            ),
        )
        for device in ("ecg1", "ecg2"):
            record(settings, somebodys_exam(settings, device).exam, device=device)
        with at_work(config):
            eventually(lambda: len(stored(folders["all"])) == 2)
            eventually(lambda: len(stored(folders["one"])) == 1)
            eventually(lambda: status(settings)["queue"]["unfinished"] == 0)
            rows = ask(settings, "queue")
        assert not rows["deliveries"]
        assert not rows["unrouted"]
        assert not stored(folders["emergencies"])
        (uid,) = stored(folders["one"])
        assert "-ecg1-" in next(settings.places.instances.glob(f"*/{uid}.dcm")).parent.name


def test_what_no_rule_takes_is_shown_wherever_a_person_looks(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with storescp(tmp_path / "store") as port:
        more = 'policy = "stored"\nonly_devices = ["ecg1"]'
        settings = configured(config, ARCHIVE.format(name="one", title="ANY", port=port, more=more))
        record(settings, somebodys_exam(settings, "ecg2").exam, device="ecg2")
        with at_work(config):
            eventually(lambda: status(settings).get("queue", {}).get("unrouted") == 1)
            (uid,) = spooled(settings)
            assert cli.main(["--config", str(config), "queue", "list"]) == 4
            said = capsys.readouterr().out
            assert uid in said
            assert "nowhere  UNROUTED" in said
            assert "no rule takes it; widen one and restart forward, or: gateway queue route INSTANCE" in said
            assert cli.main(["--config", str(config), "status"]) != 0
            assert "1 instances go to no destination: no rule takes it" in capsys.readouterr().out
            assert cli.main(["--config", str(config), "queue", "route", uid[:-3], "--destination", "one"]) == 0
            assert capsys.readouterr().out == "it goes to one\n"
            eventually(lambda: stored(tmp_path / "store") == {uid})
            eventually(lambda: status(settings)["queue"]["unfinished"] == 0)
        assert f"{uid} to one" in settings.places.audit.read_text()


def test_a_stand_in_takes_what_the_first_one_cannot_and_nobody_holds_it_twice(config: Path, tmp_path: Path) -> None:
    port, listener = free_port(), free_port()
    with orthanc(tmp_path / "orthanc", "GATEWAY", listener) as other:
        first = ARCHIVE.format(name="first", title="ANY", port=port, more='policy = "stored"')
        instead = ARCHIVE.format(
            name="other", title="ORTHANC", port=other.port, more='stands_in_for = "first"\nstand_in_after = 1'
        )
        settings = configured(config, first, instead, listener=listener)
        whose = somebodys_exam(settings)
        for _ in range(6):
            record(settings, whose.exam)
        with at_work(config, kill=True):
            eventually(other.instances)
        with at_work(config, kill=True):
            eventually(lambda: status(settings).get("queue", {}).get("unfinished") == 0)
            record(settings, whose.exam)
            eventually(lambda: status(settings)["destinations"][0]["now"] == "other stands in for it")
            eventually(lambda: len(other.instances()) == 7)
            eventually(lambda: status(settings)["queue"]["unfinished"] == 0)
        theirs = set(other.instances())
        assert theirs == spooled(settings)
        folder = tmp_path / "first"
        folder.mkdir()
        command = [need("storescp"), "--output-directory", str(folder), str(port)]
        with running(command, port, tmp_path / "storescp.log"):
            with at_work(config):
                record(settings, whose.exam)
                eventually(lambda: stored(folder))
                eventually(lambda: status(settings).get("queue", {}).get("unfinished") == 0)
            assert not stored(folder) & theirs
            assert set(other.instances()) == theirs
            for path in settings.box.data.glob("ledger.sqlite*"):
                path.unlink()
            with at_work(config):
                eventually(lambda: status(settings).get("recovery", {}).get("adopted") == 8)
                eventually(lambda: status(settings)["queue"]["unfinished"] == 0)
            assert set(other.instances()) == theirs
            assert stored(folder) == spooled(settings) - theirs


def test_archives_that_are_up_by_turns_get_each_instance_once(config: Path, tmp_path: Path) -> None:
    port, other_port = free_port(), free_port()
    first, other = tmp_path / "first", tmp_path / "other"
    settings = configured(
        config,
        ARCHIVE.format(name="first", title="ANY", port=port, more='policy = "stored"'),
        ARCHIVE.format(
            name="other",
            title="ANY",
            port=other_port,
            more='policy = "stored"\nstands_in_for = "first"\nstand_in_after = 0',
        ),
    )
    whose = somebodys_exam(settings)

    def up(folder: Path, at: int) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        folder.mkdir(exist_ok=True)
        command = [need("storescp"), "--output-directory", str(folder), str(at)]
        return running(command, at, tmp_path / f"{folder.name}.log")

    for turn in range(3):
        for _ in range(3):
            record(settings, whose.exam)
        folder, at = ((first, port), (other, other_port), (first, port))[turn]
        with up(folder, at), at_work(config, kill=True):
            eventually(lambda n=3 * (turn + 1): len(spooled(settings)) == n)
            eventually(lambda: status(settings).get("queue", {}).get("unfinished") == 0)
    assert stored(first) | stored(other) == spooled(settings)
    assert not stored(first) & stored(other)
