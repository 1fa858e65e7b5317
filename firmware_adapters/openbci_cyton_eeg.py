"""OpenBCI Cyton as an electroencephalograph: the same board and protocol, wired to a cap.

Each input's electrode is measured against what is on SRB2, the board's usual reference, or on its own N pin. What that
is connected to, and the bias electrode, are said by the device's ``reference`` and ``ground``: an EEG without its
reference is none (PS3.3 A.34.12.4.5), and none is guessed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from firmware_adapters import openbci_cyton
from firmware_adapters.openbci_cyton import CHANNELS, gain_of
from gateway import fields
from gateway.acquire.adapter import Adapter, Serial
from gateway.fields import setting
from gateway.model import Kind, MultiplexGroup


@dataclass(frozen=True, slots=True)
class Options:
    """What is connected to the board's inputs, in their order."""

    leads: tuple[str, ...] = setting(
        ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2"),
        fields.many(fields.text(16, r"\S+"), CHANNELS),
        'electrodes on inputs 1 to 8, or "Fp1-F7" for a differential one; inputs without one are powered off',
    )
    gain: int = setting(24, fields.Check("one of 1, 2, 4, 6, 8, 12, 24", gain_of), "amplifier gain")
    wiring: str = setting(
        "SRB2",
        fields.choice("differential", "SRB1", "SRB2"),
        "all P on SRB2, all N on SRB1, or each input against its own N pin; the device's reference names the electrode",
    )


class Decoder(openbci_cyton.Decoder):
    """The board, whose group is an EEG."""

    def __init__(self, options: Options) -> None:
        super().__init__(openbci_cyton.Options(leads=options.leads, gain=options.gain, reference=options.wiring))

    def _group(self) -> MultiplexGroup:
        return dataclasses.replace(super()._group(), label="EEG")


ADAPTER = Adapter(
    name="openbci_cyton_eeg",
    kind=Kind.EEG,
    transport=Serial(baud=115200),
    decoder=Decoder,
    version=openbci_cyton.ADAPTER.version,
    options=Options,
)
