"""Data sets between pydicom and the wire: the only place of the sender that knows pydicom."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, charset
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from gateway.transfer.association.pdu import ProtocolError
from gateway.transfer.names import IMPLICIT

# Latin alphabet No. 9 (PS3.3 table C.12-2 and C.12-3), which pydicom (3.0) does not know yet.
charset.python_encoding |= {"ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"}
charset.CODES_TO_ENCODINGS[b"\x1b-b"] = "iso8859_15"
charset.ENCODINGS_TO_CODES["iso8859_15"] = b"\x1b-b"

UNDEFINED = 0xFFFFFFFF  # length of a sequence that ends with a delimiter


def encode(dataset: Dataset, syntax: str) -> bytes:
    """The data set's bytes in Implicit or Explicit VR Little Endian, in its own character set."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, syntax == IMPLICIT
    write_dataset(stream, dataset)
    return bytes(stream.getvalue())


def decode(data: bytes, syntax: str) -> Dataset:
    """The data set in ``data``. Raises ProtocolError if it is none."""
    try:
        dataset = read_dataset(BytesIO(data), syntax == IMPLICIT, True)
        _refuse_cut(dataset)
        for _ in dataset.iterall():  # pydicom decodes late: what is broken must show here
            pass
    except ProtocolError:
        raise
    except Exception as error:  # pydicom raises many kinds on broken input
        raise ProtocolError(f"a data set that cannot be read ({type(error).__name__}: {error})") from error
    return dataset


def _refuse_cut(dataset: Dataset) -> None:
    """pydicom takes what is left of a value that was cut short; half an identity is worse than none."""
    for tag in dataset.keys():  # noqa: SIM118  iterating over the data set itself would decode it
        raw = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.length != UNDEFINED and len(raw.value or b"") != raw.length:
            raise ProtocolError(f"a data set that cannot be read: {tag} is cut short")
