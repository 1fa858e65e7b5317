"""A peer that refuses an instance's transfer syntax gets the same instance in one that it takes, without loss."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import numpy as np
import pytest
from dcmtk import dcmqrscp, only, storescp
from ecg_files import GENERAL_32, TWELVE_LEAD
from hostile import Line
from peers import need
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from transfer.media.samples import SECONDARY_CAPTURE, data_set, write

from gateway.model import InstanceRef
from gateway.transfer import part10
from gateway.transfer.association.negotiation import Pair
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.lossless import LOSSLESS_PIXELS, instead
from gateway.transfer.storing import fallback, store
from gateway.transfer.transcoding import scratch

EXPLICIT, IMPLICIT, BIG, DEFLATED, RLE = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2", ".1.99", ".5"))
JPEG = "1.2.840.10008.1.2.4.50"

Ecg = Callable[..., InstanceRef]
Call = Callable[[int], Peer]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def make(port: int, ae_title: str = "ANY-SCP", associations: int = 1) -> Peer:
        return Peer("pacs", ae_title, "127.0.0.1", port, "GATEWAY", 20.0, associations, scratch=str(tmp_path))

    return make


@pytest.fixture(scope="module")
def implicit_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("implicit") / "store"
    with storescp(folder, "+xi", "--bit-preserving") as port:
        yield port, folder


@pytest.fixture(scope="module")
def explicit_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("explicit")
    options = only(folder, "LittleEndianExplicit", TWELVE_LEAD, SECONDARY_CAPTURE)
    with storescp(folder / "store", *options, "--bit-preserving") as port:
        yield port, folder / "store"


def converted(ref: InstanceRef, program: str, *options: str) -> InstanceRef:
    """The same instance as DCMTK codes it."""
    path = Path(ref.path).with_suffix(f".{program}{''.join(options)}")
    subprocess.run([need(program), *options, ref.path, str(path)], check=True)
    return part10.instance(path)


def still(folder: Path) -> InstanceRef:
    pixels = np.random.default_rng(1).integers(0, 4095, 60 * 40, dtype="u2").tobytes()
    words = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "Rows": 60, "Columns": 40, "PixelData": pixels}
    return write(folder, data_set(SECONDARY_CAPTURE, **words))


def arrived(folder: Path, ref: InstanceRef) -> Dataset:
    (found,) = [p for p in folder.iterdir() if ref.sop_instance_uid in p.name]
    return dcmread(found)


def same_values(one: Dataset, other: Dataset) -> bool:
    return bool(one.to_json_dict() == other.to_json_dict())


def test_an_explicit_ecg_reaches_a_peer_that_takes_implicit_only(
    implicit_only: tuple[int, Path], ecg: Ecg, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    port, folder = implicit_only
    ref = ecg(50_000)
    ((told, outcome),) = store.send(call(port), [ref])
    got = arrived(folder, ref)
    assert told is ref
    assert (outcome.kind, outcome.code, outcome.sent_syntax) == ("done", "0000", IMPLICIT)
    assert outcome.words == "done; sent as Implicit VR Little Endian, without loss"
    assert got.file_meta.TransferSyntaxUID == IMPLICIT
    assert same_values(got, dcmread(ref.path))
    assert any(
        f"instance {ref.sop_instance_uid} as Implicit VR Little Endian, not as Exp" in m for m in caplog.messages
    )


def test_the_hash_is_of_what_was_sent(implicit_only: tuple[int, Path], ecg: Ecg, call: Call) -> None:
    """storescp keeps the data set bit by bit; its file differs in the header, which each side writes itself."""
    port, folder = implicit_only
    ref = ecg()
    sent = scratch.transcoded(ref, IMPLICIT, Path(call(port).scratch))
    with sent as one:
        assert one.sha256 == hashlib.sha256(Path(one.instance.path).read_bytes()).hexdigest()
        (outcome,) = [o for _, o in store.send(call(port), [ref])]
        assert outcome.sent_sha256 == one.sha256
        (stored,) = [p for p in folder.iterdir() if ref.sop_instance_uid in p.name]
        assert data_set_of(stored) == data_set_of(Path(one.instance.path))


def data_set_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return path.read_bytes()[part10.read(stream.fileno(), "it").offset :]


@pytest.mark.parametrize("option", ["+ti", "+tb", "+td"])
def test_another_encoding_reaches_a_peer_that_takes_explicit_only(
    explicit_only: tuple[int, Path], ecg: Ecg, call: Call, option: str
) -> None:
    port, folder = explicit_only
    original = ecg()
    ref = converted(original, "dcmconv", option)
    ((_, outcome),) = store.send(call(port), [ref])
    assert (outcome.kind, outcome.sent_syntax) == ("done", EXPLICIT)
    assert same_values(arrived(folder, ref), dcmread(original.path))


@pytest.mark.parametrize("coder", [("dcmcrle",), ("dcmcjpls", "+el")], ids=["RLE", "JPEG-LS"])
@pytest.mark.parametrize("which", ["implicit_only", "explicit_only"])
def test_losslessly_coded_pixels_become_native_ones_in_whatever_the_peer_takes(
    request: pytest.FixtureRequest, tmp_path: Path, call: Call, which: str, coder: tuple[str, ...]
) -> None:
    port, folder = request.getfixturevalue(which)
    original = still(tmp_path)
    ref = converted(original, *coder)
    assert ref.transfer_syntax_uid in LOSSLESS_PIXELS
    ((_, outcome),) = store.send(call(port), [ref])
    assert outcome.kind == "done", outcome
    assert arrived(folder, ref).PixelData == dcmread(original.path).PixelData


@pytest.mark.parametrize("coder", [("dcmcrle",), ("dcmcjpls", "+el"), ("dcmcjpeg", "+e1")], ids=lambda c: c[0])
def test_what_no_installed_decoder_can_undo_is_held_with_words(
    implicit_only: tuple[int, Path],
    tmp_path: Path,
    call: Call,
    coder: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which are installed is pydicom's to say; as on a box that has none."""
    coded = converted(still(tmp_path), *coder)
    monkeypatch.setattr(get_decoder(coded.transfer_syntax_uid), "_available", {})
    ((_, outcome),) = store.send(call(implicit_only[0]), [coded])
    assert (outcome.kind, outcome.code) == ("hold", "syntax-refused")
    assert "no decoder for it is installed here" in outcome.words


def test_what_cannot_be_changed_without_loss_is_held_with_words_and_the_others_go_on(
    implicit_only: tuple[int, Path], tmp_path: Path, ecg: Ecg, call: Call
) -> None:
    first, last = ecg(), ecg()
    lossy = write(tmp_path, data_set(SECONDARY_CAPTURE, PixelData=encapsulate([b"\xff\xd8\xff\xd9"])), JPEG)
    outcomes = dict(store.send(call(implicit_only[0]), [first, lossy, last]))
    assert [outcomes[i].kind for i in (first, lossy, last)] == ["done", "hold", "done"]
    assert outcomes[lossy].code == "syntax-refused"
    assert "takes the class, but not the transfer syntax, of Secondary Capture Image (" in outcomes[lossy].words


def test_a_class_that_is_refused_in_every_transfer_syntax_stays_a_refused_class(
    implicit_only: tuple[int, Path], ecg: Ecg, call: Call
) -> None:
    ((_, outcome),) = store.send(call(implicit_only[0]), [ecg(sop_class_uid=GENERAL_32)])
    assert (outcome.kind, outcome.code) == ("hold", "class-refused")


def test_several_associations_send_what_was_transcoded_too(
    implicit_only: tuple[int, Path], ecg: Ecg, call: Callable[..., Peer]
) -> None:
    port, folder = implicit_only
    refs = [ecg(2000) for _ in range(9)]
    told = dict(store.send(call(port, associations=3), refs))
    assert {o.sent_syntax for o in told.values()} == {IMPLICIT} and set(told) == set(refs)
    assert all(same_values(arrived(folder, r), dcmread(r.path)) for r in refs)


def test_a_peer_that_is_configured_to_hold_gets_no_other_transfer_syntax(
    implicit_only: tuple[int, Path], ecg: Ecg, call: Call
) -> None:
    ((_, outcome),) = store.send(dataclasses.replace(call(implicit_only[0]), scratch=""), [ecg()])
    assert (outcome.kind, outcome.code) == ("hold", "syntax-refused")


def test_dcmqrscp_that_takes_implicit_only_gets_it(tmp_path: Path, ecg: Ecg, call: Callable[..., Peer]) -> None:
    ref = ecg()
    with dcmqrscp(tmp_path / "archive", "+xi") as port:
        ((_, outcome),) = store.send(call(port, "QRSCP"), [ref])
    assert (outcome.kind, outcome.sent_syntax) == ("done", IMPLICIT)
    files = [p for p in (tmp_path / "archive" / "QRSCP").iterdir() if p.name != "index.dat"]
    assert [same_values(dcmread(p), dcmread(ref.path)) for p in files] == [True]


def test_a_peer_that_changes_its_mind_in_between_is_believed(ecg: Ecg, call: Call) -> None:
    calls = list[int]()

    def script(line: Line) -> None:
        calls.append(1)
        asked = line.accept(refuse_syntax=(EXPLICIT,) if len(calls) == 1 else (EXPLICIT, IMPLICIT))
        assert len(asked.contexts) == (2 if len(calls) == 1 else 1)
        assert line.message() is None

    with hostile.peer(script) as port:
        ((_, outcome),) = store.send(call(port), [ecg()])
    assert (outcome.kind, outcome.code, len(calls)) == ("hold", "syntax-refused", 2)


def test_an_association_that_breaks_on_the_second_call_is_tried_again(ecg: Ecg, call: Call) -> None:
    calls = list[int]()

    def script(line: Line) -> None:
        calls.append(1)
        line.accept(refuse_syntax=(EXPLICIT,))
        if len(calls) == 1:
            assert line.message() is None

    with hostile.peer(script) as port:
        refs = [ecg(), ecg()]
        told = list(store.send(call(port), refs))
    assert [(i, o.kind, o.code) for i, o in told] == [(r, "retry", "lost") for r in refs]


def test_without_room_on_the_disk_it_is_tried_again_later(
    implicit_only: tuple[int, Path], ecg: Ecg, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage("/")._replace(free=1 << 20)
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: full)
    ((_, outcome),) = store.send(call(implicit_only[0]), [ecg()])
    assert (outcome.kind, outcome.code) == ("retry", "not-transcoded")
    assert "1 MiB are free" in outcome.words and "make room" in outcome.words


def test_nothing_is_left_of_what_was_transcoded(
    implicit_only: tuple[int, Path], ecg: Ecg, call: Call, tmp_path: Path
) -> None:
    ref = ecg()
    assert [o.kind for _, o in store.send(call(implicit_only[0]), [ref])] == ["done"]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [Path(ref.path)]


def test_little_is_made_at_a_time(ecg: Ecg, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = [ecg(samples) for samples in (10, 10, 2000, 10, 10, 10, 10)]
    monkeypatch.setattr(fallback, "_AT_A_TIME", 5 * refs[0].size)
    monkeypatch.setattr(fallback, "_MOST_AT_A_TIME", 3)
    batches = list[int]()

    def send_some(
        peer: Peer, pairs: list[Pair], some: list[InstanceRef], _: object
    ) -> Iterator[tuple[InstanceRef, Outcome]]:
        batches.append(len(some))
        assert pairs == [(TWELVE_LEAD, IMPLICIT)]
        yield from ((i, Outcome("done", "0000", "done")) for i in some)

    refused = [(r, Outcome("hold", "syntax-refused", "no", instead=IMPLICIT)) for r in refs]
    assert [i for i, _ in fallback.send(call(1), refused, None, send_some)] == refs
    assert batches == [2, 1, 3, 1]


def test_a_beat_is_heard_while_it_is_transcoded(implicit_only: tuple[int, Path], ecg: Ecg, call: Call) -> None:
    ref, heard = ecg(200_000), list[tuple[InstanceRef, int]]()
    list(store.send(call(implicit_only[0]), [ref], lambda one, sent: heard.append((one, sent))))
    assert heard.count((ref, 0)) > 4
    assert all(one is ref for one, _ in heard)


LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.102")


def test_what_may_go_instead_of_what() -> None:
    assert instead(EXPLICIT) == (IMPLICIT,) and instead(IMPLICIT) == (EXPLICIT,)
    assert all(instead(s) == (EXPLICIT, IMPLICIT) for s in (BIG, DEFLATED, *LOSSLESS_PIXELS))
    assert all(instead(s) == () for s in LOSSY)


@pytest.mark.parametrize(("classes", "implicit", "explicit"), [(40, 40, 40), (50, 50, 28), (100, 28, 0), (128, 0, 0)])
def test_of_too_many_contexts_explicit_goes_first_then_implicit_and_the_last_classes_before_the_first(
    classes: int, implicit: int, explicit: int
) -> None:
    own = [(f"1.2.{n}", RLE) for n in range(classes)]
    found = fallback.proposed(own)
    assert found[:classes] == own and len(found) <= 128 and len(set(found)) == len(found)
    assert [c for c, s in found if s == IMPLICIT] == [c for c, _ in own[:implicit]]
    assert [c for c, s in found if s == EXPLICIT] == [c for c, _ in own[:explicit]]


def test_what_instances_have_themselves_is_proposed_once(ecg: Ecg) -> None:
    own = [(TWELVE_LEAD, EXPLICIT), (TWELVE_LEAD, IMPLICIT), (SECONDARY_CAPTURE, JPEG)]
    assert fallback.proposed(own) == own
