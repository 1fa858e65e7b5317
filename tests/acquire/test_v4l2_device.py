"""A path that is no video source says what is wrong; what a real one does is shown in the machine (tests/vm/frames)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway import configuration
from gateway.acquire.attend import attend
from gateway.acquire.v4l2 import listing
from gateway.acquire.v4l2.device import VideoDevice
from gateway.acquire.v4l2.options import Options
from gateway.errors import Misuse, Retry


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/dev/no-such-video", "the video source /dev/no-such-video is not there"),
        ("/dev/null", "the video source /dev/null cannot be opened"),
        (__file__, "cannot be opened"),
    ],
)
def test_what_is_no_video_source_is_told_in_words(path, words):
    device = VideoDevice(path, Options())
    with pytest.raises(Retry, match=words) as told:
        device.open()
    assert told.value.fix
    device.close()


def test_a_source_that_is_not_there_yet_is_waited_for_and_said_once(config, caplog):
    text = '[[device]]\nname = "cam"\nadapter = "v4l2"\nport = "/dev/no-such-video"\n'
    attendant = attend(configuration.parse(config.read_text() + text), "cam", lambda: None)
    caplog.set_level(logging.WARNING)
    for _ in range(20):
        attendant.turn()
    assert caplog.text.count("is not there") == 1
    assert not attendant.connected
    attendant.close("the test is over")


def test_a_source_needs_a_path(config):
    with pytest.raises(Misuse, match="lacks the key 'port'"):
        configuration.parse(config.read_text() + '[[device]]\nname = "cam"\nadapter = "v4l2"\n')


def test_nodes_that_do_not_answer_are_listed_with_the_reason_under_their_lasting_name(tmp_path):
    (tmp_path / "video7").write_bytes(b"")
    (tmp_path / "video-other").write_bytes(b"")
    by_id = tmp_path / "v4l/by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-Acme-video-index0").symlink_to(tmp_path / "video7")
    (found,) = listing.sources(tmp_path)
    assert found.path == str(by_id / "usb-Acme-video-index0")
    assert "does not answer" in found.problem


def test_a_box_without_video_says_how_to_look(tmp_path, monkeypatch, capsys):
    from gateway.cli import main  # noqa: PLC0415

    monkeypatch.setattr("gateway.verbs.inputs.sources", lambda: listing.sources(Path(tmp_path)))
    assert main(["inputs"]) == main(["inputs", "--json"]) == 3
    assert "no video source" in capsys.readouterr().out
