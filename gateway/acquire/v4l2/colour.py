"""What a source says of its colours and pixels, as :class:`gateway.model.Picture` says it.

The defaults are the macros of linux/videodev2.h (V4L2_MAP_YCBCR_ENC_DEFAULT, V4L2_MAP_QUANTIZATION_DEFAULT).
"""

from __future__ import annotations

from fractions import Fraction

from gateway.acquire.v4l2.formats import FORMATS
from gateway.acquire.v4l2.structs import Cropcap, PixFormat
from gateway.model import Picture

_SMPTE240M, _REC709, _JPEG, _BT2020, _DCI_P3 = 2, 3, 7, 10, 12  # enum v4l2_colorspace
_MATRICES = {  # enum v4l2_ycbcr_encoding
    1: "BT.601",
    2: "BT.709",
    3: "BT.601",  # xvYCC, wider range of the same matrix
    4: "BT.709",
    5: "BT.601",  # sYCC
    6: "BT.2020",
    7: "BT.2020",
    8: "SMPTE 240M",
}
_BY_SPACE = {_REC709: "BT.709", _DCI_P3: "BT.709", _BT2020: "BT.2020", _SMPTE240M: "SMPTE 240M"}
_FULL, _LIMITED = 1, 2  # enum v4l2_quantization
_LARGEST = 10_000  # of a term of the pixel aspect ratio


def picture(pix: PixFormat, fourcc: str, rate: float, aspect: tuple[int, int]) -> Picture:
    """The frames of a source whose format was set. JPEG is JFIF: all of 0..255, by BT.601."""
    encoding = FORMATS[fourcc].encoding
    space = int(pix.colorspace)
    matrix = _MATRICES.get(int(pix.ycbcr_enc)) or _BY_SPACE.get(space, "BT.601")
    full = int(pix.quantization) == _FULL or (
        int(pix.quantization) != _LIMITED and (encoding == "RGB24" or space == _JPEG)
    )
    if encoding == "MJPEG":
        matrix, full = "BT.601", True
    return Picture(encoding, int(pix.width), int(pix.height), rate, aspect, matrix, full)


def aspect(crop: Cropcap | None, columns: int, rows: int) -> tuple[int, int]:
    """Pixel Aspect Ratio, vertical and horizontal size of a pixel, of the picture that the crop rectangle became.

    VIDIOC_CROPCAP tells height to width of an unscaled pixel; (1, 1) where the driver does not know.
    """
    if crop is None or not crop.pixelaspect.numerator or not crop.pixelaspect.denominator:
        return (1, 1)
    ratio = Fraction(crop.pixelaspect.numerator, crop.pixelaspect.denominator)
    if crop.defrect.width and crop.defrect.height and columns and rows:
        ratio *= Fraction(crop.defrect.height, rows) / Fraction(crop.defrect.width, columns)
    ratio = ratio.limit_denominator(_LARGEST)
    return (ratio.numerator, ratio.denominator) if ratio.numerator else (1, 1)
