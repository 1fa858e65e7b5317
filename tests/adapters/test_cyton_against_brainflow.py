"""BrainFlow, the maker's own library, reads the same pseudo-terminal: its microvolts must be ours."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

from firmware_adapters.openbci_cyton import Decoder, Options, microvolts_per_count
from gateway.acquire.adapter import Serial
from gateway.acquire.session import Record, Send, Session
from gateway.acquire.shells import SerialShell
from gateway.events import Samples
from gateway.trial.device import CytonPlayer, synthetic

COUNTS = synthetic(8)


@pytest.fixture
def brainflow(monkeypatch):
    """The library; it wants pkg_resources (gone from setuptools) only to find the folder of its own binaries."""
    found = importlib.util.find_spec("brainflow")
    if found is None or found.origin is None:
        if os.environ.get("CI"):
            pytest.fail("brainflow is not installed")
        pytest.skip("brainflow is not installed")
    folder = Path(found.origin).parent
    stand_in = types.ModuleType("pkg_resources")
    stand_in.resource_filename = lambda _module, path: str(folder / path)
    monkeypatch.setitem(sys.modules, "pkg_resources", stand_in)
    return importlib.import_module("brainflow.board_shim")


def by_brainflow(board_shim, port: Path, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """(packet numbers, microvolts) as BrainFlow decodes them."""
    board_shim.BoardShim.disable_board_logger()
    parameters = board_shim.BrainFlowInputParams()
    parameters.serial_port = str(port)
    board = board_shim.BoardShim(board_shim.BoardIds.CYTON_BOARD, parameters)
    board.prepare_session()
    try:
        board.start_stream()
        time.sleep(seconds)
        board.stop_stream()
        data = board.get_board_data()
    finally:
        board.release_session()
    described = board_shim.BoardShim.get_board_descr(board_shim.BoardIds.CYTON_BOARD)
    return data[described["package_num_channel"]].astype(int), data[described["eeg_channels"]].T


def by_us(port: Path, samples: int) -> np.ndarray:
    """Counts as our decoder has them, through our own serial shell."""
    shell = SerialShell(Serial(baud=115200), str(port))
    session = Session(Decoder(Options()), wanted=True)
    blocks, deadline = [], time.monotonic() + 20
    shell.open()
    try:
        acts = list(session.connect(time.monotonic()))
        while sum(map(len, blocks)) < samples and time.monotonic() < deadline:
            for act in acts:
                if isinstance(act, Send):
                    shell.write(act.data)
                elif isinstance(act, Record) and isinstance(act.event, Samples):
                    blocks.append(act.event.data)
            acts = list(session.feed(shell.read(0.05), time.monotonic()))
    finally:
        shell.close()
    return np.concatenate(blocks)


def test_brainflow_decodes_the_same_microvolts_from_the_same_port(brainflow, port):
    with CytonPlayer(port, COUNTS, speed=4, loop=True) as player:
        numbers, theirs = by_brainflow(brainflow, port, 1.0)
        player.position = 0
        ours = by_us(port, len(theirs)) * microvolts_per_count(24)
    assert len(theirs) > 250
    assert (np.diff(numbers) % 256 == 1).all()
    assert np.allclose(theirs, ours[: len(theirs)], rtol=1e-9, atol=1e-9)


@pytest.fixture
def port(tmp_path):
    return tmp_path / "port"
