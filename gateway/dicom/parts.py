"""How a recording is cut into instances: not at all, unless it is larger than one instance may be.

Only the byte cap cuts. All multiplex groups are cut at the same instants: whole seconds from the beginning at which
every group has a sample, so that every part begins exactly where the one before it ended. (If no such second fits into
a part, as at 333.3 Hz, a group goes on with its first sample after the instant, less than one sample later.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from gateway.dicom.definition import LONGEST_DATA
from gateway.errors import Held

# Bytes of one instance's waveform data at most: the Waveform Sequence that holds them has a defined length (PS3.5
# 7.1.1), and holds the channel definitions too.
MOST = LONGEST_DATA - (16 << 20)
_FINE = 10_000  # 62.5 Hz is 125 samples in 2 s; what is no fraction with denominators up to this is none
SEPARATE = 1000  # parts of one recording that Instance Number can tell apart


@dataclass(frozen=True, slots=True)
class Part:
    """One instance of a recording. ``ranges``: of each multiplex group, first sample (0-based) and the one behind.

    ``after``: of each, the one behind what the part before holds, if the recording was interrupted in between.
    """

    number: int  # 1-based
    of: int
    seconds: float  # from the beginning of the recording to the part's; whole unless it was interrupted
    ranges: tuple[tuple[int, int], ...]
    after: tuple[int, ...] = ()

    @property
    def whole(self) -> bool:
        return self.of == 1

    @property
    def ordinal(self) -> str:
        """What tells its SOP Instance UID from the others' of the recording, however that is cut."""
        return "1" if self.whole else f"{self.number} of {self.of}: {self.ranges}"

    def instance_number(self, acquisition: int) -> int:
        """Instance Number: the acquisition's number; of a recording in parts 1000 times that, and the part's.

        Unique in the series, and ascending with time within a recording.
        """
        return acquisition if self.whole else acquisition * SEPARATE + self.number


def cut(rates: Sequence[float], samples: Sequence[int], widths: Sequence[int], largest: int = 0) -> tuple[Part, ...]:
    """The parts of a recording: per multiplex group its rate (Hz), number of samples, and bytes of one sample of all
    channels. ``largest``: bytes of waveform data in one instance, 0 = as many as DICOM allows.

    Raises Held if not even a second fits, or if there would be too many parts.
    """
    most = min(largest or MOST, MOST)
    if sum(n * width for n, width in zip(samples, widths, strict=True)) <= most:
        return (Part(1, 1, 0, tuple((0, n) for n in samples)),)
    rows = list(zip(rates, samples, widths, strict=True))
    each = int(most / sum(rate * width for rate, n, width in rows if n))  # seconds
    common = math.lcm(*(Fraction(rate).limit_denominator(_FINE).denominator for rate, n, _ in rows if n))
    each -= each % common if common <= each else 0
    of = math.ceil(max(n / rate for n, rate in zip(samples, rates, strict=True)) / max(1, each))
    if each < 1 or of >= SEPARATE:
        raise Held(
            f"in instances of {most >> 20} MiB the recording would come in {of if each else 'countless'} parts",
            "set a larger 'largest' for the device",
        )
    bounds = [
        [min(n, math.ceil(k * each * rate)) for k in range(of)] + [n] for n, rate in zip(samples, rates, strict=True)
    ]
    return tuple(Part(k + 1, of, k * each, tuple((b[k], b[k + 1]) for b in bounds)) for k in range(of))
