"""``gateway config apply`` touches nothing before all is right; ``gateway status --line`` says one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import local
from gateway.cli import main
from gateway.settings import Settings
from gateway.verbs import config as verb


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands where systemctl is looked for; writes down what it was asked. The real one: make deb-test."""
    asked = tmp_path / "asked"
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {asked}\n[ ! -e {tmp_path}/broken ] || {{ echo no bus >&2; exit 1; }}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return asked


@pytest.fixture
def default(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests' configuration, as the one that the services read."""
    monkeypatch.setattr(verb, "DEFAULT_FILE", config)
    return config


@pytest.fixture
def capture(settings: Settings) -> Iterator[dict[str, bool]]:
    """A capture that says whether it records."""
    answer = {"recording": True}
    server = local.Server(settings.places.socket("capture-gone"), {"status": lambda _: answer})
    yield answer
    server.close()


def apply(config: Path, *more: str) -> int:
    return main(["--config", str(config), "config", "apply", *more])


def test_a_right_configuration_starts_all_anew(default: Path, systemctl: Path) -> None:
    assert apply(default) == 0
    assert systemctl.read_text().splitlines() == ["daemon-reload", "restart gateway.target"]


def test_a_wrong_one_touches_nothing(default: Path, systemctl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default.write_text(f"{default.read_text()}\n[nonsense]\n")
    assert apply(default) == 2
    assert "[nonsense] is unknown" in capsys.readouterr().err
    assert not systemctl.exists()


def test_a_recording_is_not_cut_also_of_a_device_that_is_no_longer_configured(
    default: Path, systemctl: Path, capture: dict[str, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(default) == 4
    assert "gone is being recorded: nothing was changed" in capsys.readouterr().err
    assert not systemctl.exists()
    assert apply(default, "--even-while-recording") == 0
    capture["recording"] = False
    assert apply(default) == 0


def test_only_root_may_and_only_what_the_services_read(
    config: Path, systemctl: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(config) == 2
    assert "the services read /etc/gateway/gateway.toml" in capsys.readouterr().err
    monkeypatch.setattr(verb, "DEFAULT_FILE", config)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert apply(config) == 2
    assert "sudo gateway config apply" in capsys.readouterr().err
    assert not systemctl.exists()


def test_what_systemd_says_is_passed_on(
    default: Path, systemctl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").touch()
    assert apply(default) == 1
    assert "systemctl daemon-reload: no bus" in capsys.readouterr().err


def test_quiet_says_nothing_of_what_is_no_mistake(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config), "config", "check", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_one_line_says_how_the_box_is(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config), "status", "--line", "--settle", "0.1"]) == 3
    (line,) = capsys.readouterr().out.splitlines()
    assert "(forward) is not running" in line
