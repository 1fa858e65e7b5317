"""Input profiles in the configuration: read as written, and refused in words where they cannot be meant."""

from __future__ import annotations

import pytest

from gateway.configuration import parse, reference
from gateway.errors import Misuse
from gateway.model import Code
from gateway.profile import UNKNOWN, Area, Region

DEVICE = """
[[device]]
name = "tower"
adapter = "simulated"
profile = "cv190"
iod = "endoscopic"
"""
PROFILE = """
[[profile]]
name = "cv190"
crop = "100,0,1080,1080"
mask = ["120,10,300,40", "120,1000,200,60"]
burned_in = "masked"
coding = "jpeg-ls"
anatomic_region = "71854001,SCT,Colon"
laterality = "U"
calibration = ["2D tissue 10,20,500,400 0.012 cm 0.0125 cm", "spectral pw-doppler 0,500,600,200 0.004 s -0.5 cm/s"]
"""


def test_a_profile_is_read_as_it_is_written() -> None:
    settings = parse(DEVICE + PROFILE, adapters=False)
    found = settings.profile(settings.device("tower"))
    assert found.crop == Area(100, 0, 1080, 1080)
    assert found.mask[1] == Area(120, 1000, 200, 60)
    assert found.anatomic_region == Code("71854001", "SCT", "Colon")
    assert found.calibration[0] == Region("2D", "tissue", Area(10, 20, 500, 400), 0.012, "cm", 0.0125, "cm")
    assert (found.calibration[1].step_y, found.calibration[1].unit_y) == (-0.5, "cm/s")
    assert found.alters


def test_a_device_without_a_profile_has_one_that_knows_nothing() -> None:
    settings = parse(DEVICE.replace('profile = "cv190"\n', ""), adapters=False)
    assert settings.profile(settings.device("tower")) is UNKNOWN
    assert not UNKNOWN.alters


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (DEVICE, "names no profile 'cv190'"),
        (DEVICE + PROFILE + PROFILE, "is 'cv190' a second time"),
        (DEVICE + PROFILE.replace("100,0,1080,1080", "100,0,0,1080"), "key 'crop' may not be '100,0,0,1080'"),
        (DEVICE + PROFILE.replace("120,10,300,40", "120;10"), "key 'mask' may not be"),
        (DEVICE + PROFILE.replace("2D tissue", "3D tissue"), "key 'calibration' may not be"),
        (DEVICE + PROFILE.replace("71854001,SCT,", ""), "key 'anatomic_region' may not be 'Colon'"),
        (DEVICE + '[[profile]]\nname = "cv190"\nburned_in = "masked"\n', "is masked, and nothing is"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(wrong: str, words: str) -> None:
    with pytest.raises(Misuse, match="line") as refused:
        parse(wrong, adapters=False)
    assert words in str(refused.value)


def test_the_reference_tells_of_profiles() -> None:
    assert "## `[[profile]]`" in reference()
    assert '"LEFT,TOP,WIDTH,HEIGHT" in pixels' in reference()
