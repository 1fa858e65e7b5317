"""What every adapter must keep, as a test to subclass. It ships, so other people's adapters are held to it too::

    class TestAcme(AdapterContract):
        adapter = ADAPTER
        options = Options()
        transcript = (b"what the device says", ...)   # from its first byte; no b"" among them
        expected = {0: counts}                        # optional: int32 (samples, channels) by multiplex group

For an adapter of files the transcript is one whole file, and it is held to :class:`gateway.acquire.adapter.Folder`.

pytest collects the subclass. A transcript from the field: ``transcript = field_transcript(Path("records"))``.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gateway import records
from gateway.acquire import replay
from gateway.acquire.adapter import Adapter, Folder, Internal, Serial
from gateway.acquire.session import Act, Begin, End, Record, Session
from gateway.errors import Unreadable
from gateway.events import Event, Finished, Frame, Gap, Garbage, Marker, Ready, Samples, Started

GARBAGE = bytes(range(0x20, 0x7F)) * 3


def field_transcript(path: Path) -> tuple[bytes, ...]:
    """The bytes as received of a recording."""
    return tuple(data for data, _time in replay.pieces(path) if data)


def merged(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Events as plain data without their times; what a cut may divide (samples, garbage) is put together again."""
    out: list[tuple[Any, ...]] = []
    for event in events:
        match event:
            case Samples(data=data, group=group):
                if out and out[-1][:2] == ("samples", group):
                    data = np.concatenate([np.array(out.pop()[2], np.int32).reshape(-1, data.shape[1]), data])
                out.append(("samples", group, data.tolist()))
            case Garbage(count=count):
                if out and out[-1][0] == "garbage":
                    count += out.pop()[1]
                out.append(("garbage", count))
            case Gap():
                out.append(("gap", event.reason, event.samples, event.seconds, event.group))
            case Marker():
                out.append(("marker", event.text, event.group, event.sample, event.concept, event.samples))
            case Frame():
                out.append(("frame", event.encoding, event.data))
            case _:
                out.append((type(event).__name__, event))
    return out


class AdapterContract:
    """Subclass it, name adapter, options and a transcript."""

    adapter: ClassVar[Adapter]
    options: ClassVar[Any] = None
    transcript: ClassVar[Sequence[bytes]] = ()
    expected: ClassVar[Mapping[int, NDArray[np.int32]] | None] = None
    seconds: ClassVar[float] = 3.0  # how long a device without a line is listened to

    def _decoder(self) -> Any:
        return self.adapter.decoder(self.adapter.options() if self.options is None else self.options)

    def _events(self, pieces: Iterable[bytes]) -> list[Event]:
        decoder = self._decoder()
        events = list(decoder.start(0.0))
        for piece in pieces:
            events += decoder.feed(piece, 1.0)
        if isinstance(self.adapter.transport, Internal):
            for turn in range(1, int(self.seconds * 10) + 1):
                events += decoder.tick(turn / 10)
        if isinstance(self.adapter.transport, Folder):
            events += decoder.stop(1.0)
        return events

    def _cuts(self, seed: int) -> Iterator[bytes]:
        dice = random.Random(seed)  # noqa: S311
        whole = b"".join(self.transcript)
        at = 0
        while at < len(whole):
            size = dice.choice((1, 2, 7, 33, 100, 1000))
            yield whole[at : at + size]
            at += size

    def test_the_whole_stream_gives_one_start_and_samples_of_its_shape(self) -> None:
        events = self._events([b"".join(self.transcript)])
        started = [e for e in events if isinstance(e, (Started, Ready))]
        content = [e for e in events if isinstance(e, (Samples, Frame))]
        assert len(started) == 1
        assert content, "the transcript holds samples, or frames"
        assert events.index(started[0]) < events.index(content[0])
        begun = started[0].started if isinstance(started[0], Ready) else started[0]
        for block in content:
            if isinstance(block, Frame):
                assert begun.picture is not None
                assert block.encoding == begun.picture.encoding
                continue
            assert block.data.dtype == np.int32
            assert block.data.ndim == 2
            assert block.data.shape[1] == len(begun.groups[block.group].channels)

    def test_byte_by_byte_gives_the_same_events(self) -> None:
        whole = b"".join(self.transcript)
        assert merged(self._events(whole[i : i + 1] for i in range(len(whole)))) == merged(self._events([whole]))

    def test_any_cut_gives_the_same_events(self) -> None:
        whole = merged(self._events([b"".join(self.transcript)]))
        for seed in range(10):
            assert merged(self._events(self._cuts(seed))) == whole

    def test_a_second_start_begins_from_nothing(self) -> None:
        decoder = self._decoder()
        list(decoder.start(0.0))
        for piece in self._cuts(1):
            if isinstance(self.adapter.transport, Folder):  # a file with holes is none: its first part, then
                list(decoder.feed(piece, 1.0))
                break
            list(decoder.feed(piece[: len(piece) // 2], 1.0))
        again = list(decoder.start(0.0)) + list(decoder.feed(b"".join(self.transcript), 1.0))
        if isinstance(self.adapter.transport, Internal):
            again += [e for turn in range(1, int(self.seconds * 10) + 1) for e in decoder.tick(turn / 10)]
        if isinstance(self.adapter.transport, Folder):
            again += decoder.stop(1.0)
        assert merged(again) == merged(self._events([b"".join(self.transcript)]))

    def test_garbage_on_the_line_is_counted_and_the_stream_found_again(self) -> None:
        if not isinstance(self.adapter.transport, Serial):
            return  # nothing can come over a line that is not there
        whole = b"".join(self.transcript)
        events = self._events([whole, GARBAGE, whole[-len(whole) // 2 :], whole[-len(whole) // 2 :]])
        assert sum(e.count for e in events if isinstance(e, Garbage)) > 0
        after = events[next(i for i, e in enumerate(events) if isinstance(e, Garbage)) :]
        assert any(isinstance(e, Samples) for e in after), "samples come again after garbage"

    def test_a_stream_that_breaks_off_is_not_finished(self) -> None:
        whole = b"".join(self.transcript)
        for share in (0.3, 0.6, 0.9):
            if isinstance(self.adapter.transport, Folder):
                assert self._refused(whole[: int(len(whole) * share)])
                continue
            events = self._events([whole[: int(len(whole) * share)]])
            assert not any(isinstance(e, Finished) for e in events)

    def test_a_file_that_breaks_off_is_refused_wherever_that_is(self) -> None:
        transport = self.adapter.transport
        if not isinstance(transport, Folder):
            return
        whole = b"".join(self.transcript)
        dice = random.Random(3)  # noqa: S311
        for size in {0, 1, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(50))}:
            assert self._refused(whole[:size]), f"the first {size} bytes of {len(whole)} are taken for a file"
        assert not transport.lacks(lambda offset, length: whole[offset : offset + length], len(whole))

    def _refused(self, file: bytes) -> bool:
        """Whether it is said in words that this is no whole file."""
        try:
            return not any(isinstance(e, Finished) for e in self._events([file]))
        except Unreadable as error:
            return bool(error.message)

    def test_the_samples_are_the_expected_ones(self) -> None:
        if self.expected is None:
            return
        events = self._events([b"".join(self.transcript)])
        for group, counts in self.expected.items():
            blocks = [e.data for e in events if isinstance(e, Samples) and e.group == group]
            assert np.array_equal(np.concatenate(blocks), counts)

    def test_what_is_recorded_comes_back_to_the_sample(self) -> None:
        acts = self._acts()
        begin = next(a for a in acts if isinstance(a, Begin))
        recorded = [a.event for a in acts if isinstance(a, Record)]
        assert any(isinstance(a, End) for a in acts)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "records"
            streams = len(begin.started.groups) + (begin.started.picture is not None)
            writer = records.Writer(path, streams)
            for event in recorded:
                writer.append(event)
            writer.close("contract")
            assert merged(records.events(path)) == merged(recorded)

    def _acts(self) -> list[Act]:
        session = Session(self._decoder(), wanted=True)
        acts = list(session.connect(0.0))
        for piece in self._cuts(2):
            acts += session.feed(piece, 1.0)
        for turn in range(1, int(self.seconds * 10) + 1):
            acts += session.tick(turn / 10) if isinstance(self.adapter.transport, Internal) else ()
        return acts + list(session.stop("contract", self.seconds))
