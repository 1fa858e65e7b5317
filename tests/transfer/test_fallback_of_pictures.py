"""A PACS that takes only uncompressed pictures gets them so: JPEG-LS to the bit, JPEG where it is set to be decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dcmtk import only, storescp
from pictures import Taken, jpeg_of, noise, wrapped
from pydicom import Dataset, dcmread
from pydicom.pixels import pixel_array

from gateway.dicom.check import check
from gateway.errors import Held
from gateway.model import InstanceRef, Picture
from gateway.profile import Profile
from gateway.sop_classes import WRITTEN
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer
from gateway.transfer.lossless import STREAMED, instead
from gateway.transfer.storing import store
from gateway.transfer.transcoding import scratch

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
ROWS, COLUMNS = 48, 64
SMOOTH = [np.clip(noise(ROWS, COLUMNS, n), 20, 235) for n in range(3)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("plain")
    classes = [WRITTEN["ultrasound-frames"], WRITTEN["endoscopic"]]
    options = only(folder, "LittleEndianExplicit", *classes)
    with storescp(folder / "store", *options, "--bit-preserving") as port:
        yield port, folder / "store"


def lossless(folder: Path) -> InstanceRef:
    taken = Taken(Picture("RGB24", COLUMNS, ROWS, 25)).frames(*(p.tobytes() for p in SMOOTH))
    return wrapped(folder, taken, Profile(name="p", coding="jpeg-ls"), iod="ultrasound")[0]


def lossy(folder: Path) -> InstanceRef:
    taken = Taken(Picture("MJPEG", COLUMNS, ROWS), number=2).frames(jpeg_of(SMOOTH[0], quality=97, subsampling=0))
    return wrapped(folder, taken, iod="endoscopic")[0]


def sent(port: int, made: InstanceRef, folder: Path, decodes: bool = False) -> Outcome:
    peer = Peer("pacs", "ANY-SCP", "127.0.0.1", port, "GATEWAY", 20.0, decodes=decodes, scratch=str(folder))
    ((_, outcome),) = store.send(peer, [made])
    return outcome


def arrived(folder: Path, made: InstanceRef) -> Path:
    (found,) = [p for p in folder.iterdir() if made.sop_instance_uid in p.name]
    return found


def header(path: Path | str) -> Dataset:
    found = dcmread(path, stop_before_pixels=True)
    for keyword in ("PhotometricInterpretation", "PlanarConfiguration"):
        found.pop(keyword, None)
    return found


def test_jpeg_ls_arrives_uncompressed_and_to_the_bit(plain: tuple[int, Path], tmp_path: Path) -> None:
    made = lossless(tmp_path)
    outcome = sent(plain[0], made, tmp_path)
    assert outcome.good
    assert outcome.words.endswith("sent as Explicit VR Little Endian, without loss")
    there = arrived(plain[1], made)
    assert np.array_equal(pixel_array(there), np.stack(SMOOTH))
    assert header(there) == header(made.path)
    assert check(there) == []


def test_jpeg_is_decoded_only_where_that_is_wanted(plain: tuple[int, Path], tmp_path: Path) -> None:
    made = lossy(tmp_path)
    refused = sent(plain[0], made, tmp_path)
    assert not refused.good
    outcome = sent(plain[0], made, tmp_path, decodes=True)
    assert outcome.good
    assert "decoded; what its coding lost stays lost" in outcome.words
    there = dcmread(arrived(plain[1], made))
    assert (there.LossyImageCompression, there.PhotometricInterpretation) == ("01", "RGB")
    assert np.abs(there.pixel_array.astype(int) - SMOOTH[0]).mean() < 4
    assert header(arrived(plain[1], made)) == header(made.path)
    assert check(arrived(plain[1], made)) == []


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_clip_larger_than_what_is_transcoded_in_memory_is_unfolded_frame_by_frame(
    syntax: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.transfer.transcoding.explicit.LARGEST", 100)
    made = lossless(tmp_path)
    with scratch.transcoded(made, syntax, tmp_path) as one:
        with Path(one.instance.path).open("rb") as stream:
            assert np.array_equal(dcmread(stream).pixel_array, np.stack(SMOOTH))
        assert one.instance.transfer_syntax_uid == syntax


def test_what_cannot_be_decoded_is_refused_in_words(tmp_path: Path) -> None:
    made = lossless(tmp_path)
    data = bytearray(Path(made.path).read_bytes())
    at = data.index(b"\xff\xd8\xff\xf7")
    data[at : at + 60] = bytes(60)
    Path(made.path).write_bytes(data)
    with (
        pytest.raises(Held, match=r"cannot be transcoded from 1\.2\.840"),
        scratch.transcoded(made, EXPLICIT, tmp_path),
    ):
        pass


def test_the_table_says_what_may_stand_in_for_what() -> None:
    assert instead("1.2.840.10008.1.2.4.50") == ()
    assert instead("1.2.840.10008.1.2.4.50", decoded=True) == (EXPLICIT, IMPLICIT)
    assert "1.2.840.10008.1.2.4.102" not in STREAMED, "video stays as it is"
