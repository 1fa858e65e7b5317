"""Lab Streaming Layer: whatever a program beside the device offers as a stream of samples (EEG, ECG, EMG, EOG, audio).

liblsl gives whole samples with their time stamps, so nothing is left to decode: finding the stream, its description,
its clock and its gaps are the transport's (gateway.acquire.lsl).
"""

from __future__ import annotations

from gateway.acquire.adapter import Adapter, Stream, Undecoded
from gateway.acquire.lsl.options import Options
from gateway.model import Kind

ADAPTER = Adapter(
    name="lsl",
    kind=Kind.EEG,
    transport=Stream(),
    decoder=Undecoded,
    options=Options,
    others=(Kind.ECG, Kind.EMG, Kind.EOG, Kind.PULSE, Kind.RESPIRATION, Kind.AUDIO, Kind.OTHER),
)
