"""Lab Streaming Layer: whatever a program beside the device offers as a stream of samples (EEG, ECG, EMG, EOG, audio).

liblsl gives whole samples with their time stamps, so nothing is left to decode: finding the stream, its description,
its clock and its gaps are the transport's (gateway.acquire.lsl).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.acquire.adapter import Adapter, Stream
from gateway.acquire.lsl.options import Options
from gateway.events import Event
from gateway.model import Kind


class Decoder:
    """Has nothing to do."""

    def __init__(self, options: Options) -> None:
        """They are the transport's."""

    def start(self, now: float) -> Iterator[Event]:
        return iter(())

    def stop(self, now: float) -> Iterator[Event]:
        return iter(())

    def feed(self, data: bytes, now: float) -> Iterator[Event]:
        return iter(())

    def tick(self, now: float) -> Iterator[Event]:
        return iter(())


ADAPTER = Adapter(
    name="lsl",
    kind=Kind.EEG,
    transport=Stream(),
    decoder=Decoder,
    options=Options,
    others=(Kind.ECG, Kind.EMG, Kind.EOG, Kind.PULSE, Kind.RESPIRATION, Kind.AUDIO, Kind.OTHER),
)
