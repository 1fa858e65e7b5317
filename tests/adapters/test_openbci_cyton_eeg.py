"""The same board with a cap: an EEG whose channels name their electrodes, and whose reference is the device's."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pydicom
import pytest
from acquisitions import an_exam

from firmware_adapters.openbci_cyton_eeg import ADAPTER, Decoder, Options
from gateway import configuration
from gateway.acquire.contract import AdapterContract
from gateway.acquire.recorder import Recorder
from gateway.clock import Clock
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Reply, Samples, Started
from gateway.model import Kind
from gateway.sop_classes import WRITTEN
from gateway.trial.device import BANNER, packet

ANSWERS = b"".join(b"Success: Channel set for %d$$$" % i for i in range(1, 9))
COUNTS = np.random.default_rng(7).integers(-(2**23), 2**23, (300, 8)).astype(np.int32)
STREAM = b"".join(packet(n, counts) for n, counts in enumerate(COUNTS))
CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[[device]]
name = "eeg"
adapter = "openbci_cyton_eeg"
port = "/dev/null"
{more}
"""


class TestContract(AdapterContract):
    adapter = ADAPTER
    transcript = (BANNER, ANSWERS, STREAM)
    expected: ClassVar = {0: COUNTS}


def test_every_input_is_wired_to_srb2_unless_the_configuration_says_otherwise():
    for wiring, codes in (("SRB2", "10"), ("SRB1", "01"), ("differential", "00")):
        decoder = Decoder(Options(leads=("Fp1",), wiring=wiring))
        list(decoder.start(0.0))
        sent = b"".join(e.data for e in decoder.feed(BANNER, 0.1) if isinstance(e, Reply))
        assert sent.startswith(b"x10601" + codes.encode())


def _recorded(tmp_path: Path, more: str) -> tuple[Path, configuration.Settings]:
    settings = configuration.parse(CONFIGURATION.format(folder=tmp_path, more=more))
    device = settings.device("eeg")
    recorder = Recorder(settings.places, Clock("always"), device, ADAPTER)
    decoder = Decoder(settings.options["eeg"])
    events = [*decoder.start(0.0), *decoder.feed(BANNER, 0.1), *decoder.feed(ANSWERS, 0.2), *decoder.feed(STREAM, 0.3)]
    facts = recorder.begin(next(e for e in events if isinstance(e, Started)), None)
    assert facts.kind is Kind.EEG
    for event in events:
        if isinstance(event, Samples):
            recorder.take(event)
    recorder.close("stopped")
    return settings.places.acquisition(facts.acquisition), settings


def test_it_becomes_a_routine_scalp_eeg_with_the_reference_and_the_ground_that_are_configured(tmp_path):
    folder, settings = _recorded(tmp_path, 'reference = "A1"\nground = "A2"\nleads = ["Fp1", "P7"]')
    (made,) = wrap(folder, an_exam(), settings, tmp_path)
    head = pydicom.dcmread(made.path)
    assert head.SOPClassUID == WRITTEN["eeg"]
    channels = head.WaveformSequence[0].ChannelDefinitionSequence
    assert [c.ChannelSourceSequence[0].CodeMeaning for c in channels] == ["Fp1", "T5"]
    assert {c.ChannelSourceModifiersSequence[1].CodeMeaning for c in channels} == {"A1"}
    assert any("A2" in item.UnformattedTextValue for item in head.WaveformAnnotationSequence)


def test_without_a_reference_it_is_held_in_words(tmp_path):
    folder, settings = _recorded(tmp_path, "")
    with pytest.raises(Held, match="measured against"):
        wrap(folder, an_exam(), settings, tmp_path)


def test_the_reference_of_an_ecg_board_is_still_its_wiring():
    text = CONFIGURATION.format(folder="/srv", more='reference = "SRB1"').replace("cyton_eeg", "cyton")
    assert configuration.parse(text).options["eeg"].reference == "SRB1"
