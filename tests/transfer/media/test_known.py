"""The hashes of a medium in memory answer as a dict does, and are small."""

from __future__ import annotations

import hashlib
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from gateway.transfer.media.known import Known

NUMBERS = st.tuples(*[st.sampled_from([0, 1, 42, 999_999])] * 4)
MANY, MOST = 20_000, 110  # bytes a file; the table of names may be three eighths full


def _file_id(numbers: tuple[int, ...]) -> str:
    return "PA{:06}/ST{:06}/SE{:06}/IN{:06}".format(*numbers)


@given(st.lists(st.tuples(NUMBERS.map(_file_id), st.binary(min_size=32, max_size=32).map(bytes.hex)), max_size=60))
def test_it_answers_as_a_dict_of_the_same_pairs(pairs: list[tuple[str, str]]) -> None:
    found, expected = Known(pairs), dict(pairs)
    assert dict(found) == expected
    assert list(found) == list(expected)
    assert bool(found) == bool(expected)
    for absent in ("PA000007/ST000007/SE000007/IN000007", "DICOMDIR", "", "PA1/ST1/SE1/IN1"):
        assert absent not in found
        assert found.get(absent) is None


def test_a_file_takes_about_a_hundred_bytes() -> None:
    pairs = ((_file_id((n, n, n, n)), hashlib.sha256(b"%d" % n).hexdigest()) for n in range(MANY))
    tracemalloc.start()
    found = Known(pairs)
    kept, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == MANY
    assert kept <= MOST * MANY
