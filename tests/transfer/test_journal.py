"""Each association that stores leaves one line: with whom, how many, how much, and how it ended."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from dcmtk import storescp
from ecg_files import GENERAL_32
from hostile import Line

from gateway.model import InstanceRef
from gateway.transfer.calling.peers import Peer
from gateway.transfer.storing import store

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "gateway")
    return lambda: [m for m in caplog.messages if m.startswith("association with")]


def test_a_line_has_peer_counts_bytes_and_seconds(
    tmp_path: Path, ecg: Ecg, call: Call, lines: Callable[[], list[str]]
) -> None:
    refs = [ecg(), ecg(sop_class_uid=GENERAL_32), ecg()]
    with storescp(tmp_path / "store") as port:
        list(store.send(call(port), refs))
    size = refs[0].size + refs[2].size
    wanted = rf"association with HOSPITAL at 127\.0\.0\.1:{port}: 2 of 3 instances stored, {size} bytes in \d+\.\d\d s"
    assert [bool(re.fullmatch(wanted, line)) for line in lines()] == [True]


def test_several_associations_have_a_line_each_and_together_all_instances(
    tmp_path: Path, ecg: Ecg, call: Call, lines: Callable[[], list[str]]
) -> None:
    with storescp(tmp_path / "store", "--fork") as port:
        list(store.send(dataclasses.replace(call(port), associations=3), [ecg(2000) for _ in range(12)]))
    counts = [int(m[1]) for line in lines() if (m := re.search(r": (\d+) of \d+ instances", line))]
    assert 1 <= len(counts) <= 3 and sum(counts) == 12, "one that comes late may find nothing left to do"


def test_one_that_breaks_says_so(ecg: Ecg, call: Call, lines: Callable[[], list[str]]) -> None:
    def script(line: Line) -> None:
        line.accept()
        message = line.message()
        assert message is not None
        line.respond(message)
        line.hear()
        line.say(b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")

    with hostile.peer(script) as port:
        list(store.send(call(port), [ecg(), ecg(), ecg()]))
    (line,) = lines()
    assert "1 of 2 instances stored" in line and line.endswith("; it broke (aborted-0-0)")
