"""What an encapsulated document must be, from its first and last bytes (PS3.3 C.24.2)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dicom.definition import Iod
from gateway.dicom.finding import ERROR, Finding
from gateway.dicom.reading import ENCAPSULATED_DOCUMENT, WaveformFile

_BEGINS = {"application/pdf": b"%PDF-"}
_WHERE, _SECTION = "EncapsulatedDocument", "PS3.3 C.24.2"


def findings(file: WaveformFile, iod: Iod) -> Iterator[Finding]:
    kind = str(file.dataset.get("MIMETypeOfEncapsulatedDocument") or "")
    if kind and kind != iod.document:
        words = f"is {kind:.40}; {iod.label} demands {iod.document}"
        yield Finding(ERROR, "MIMETypeOfEncapsulatedDocument", "document", f"PS3.3 {iod.section}", words)
    extent = file.bulk.get(ENCAPSULATED_DOCUMENT)
    if extent is None or not extent.length:
        yield Finding(ERROR, _WHERE, "type 1", _SECTION, "is missing" if extent is None else "is empty")
        return
    begin = _BEGINS[iod.document]
    with file.path.open("rb") as stream:
        stream.seek(extent.offset)
        if stream.read(len(begin)) != begin:
            yield Finding(ERROR, _WHERE, "document", _SECTION, f"does not begin as {iod.document} does")
    stated = file.dataset.get("EncapsulatedDocumentLength")
    if stated is not None and stated + stated % 2 != extent.length:
        words = f"is {stated}, but the document with its padding has {extent.length} bytes"
        yield Finding(ERROR, "EncapsulatedDocumentLength", "document", _SECTION, words)
