"""Whatever a camera sends, the frame is used, left out with words, or held; `make fuzz` asks of 10 000."""

from __future__ import annotations

from fuzz.frames import fuzz


def test_no_mutated_frame_crashes_and_all_kinds_of_ends_come_up() -> None:
    found = fuzz(300, 7)
    assert sum(found.values()) == 300
    assert {"MJPEG left out", "MJPEG used", "H264 left out", "H264 used"} <= set(found)
