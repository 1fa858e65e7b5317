"""What a RIS says in words for people, made such that an instance may carry it.

Real RIS send descriptions with line feeds and with more than the 64 characters of an LO (PS3.5 table 6.2-1), and codes
with empty attributes, or that name a context group without saying whose it is. Nobody is identified by those, so they
are mended here and hold nothing. Names, identifiers and codes themselves are never touched: what is wrong in them is
for a person.
"""

from __future__ import annotations

import re
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

_LONGEST = {"LO": 64, "SH": 16}  # characters
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ENHANCED = ("ContextIdentifier", "MappingResource", "ContextGroupVersion")  # PS3.3 table 8.8-1b: all of them, or none


def mended(keyword: str, value: Any) -> Any:
    """``value`` of the attribute; if it is a sequence, its items are changed in place."""
    if isinstance(value, Sequence):
        for item in value:
            _mend_item(item)
    elif isinstance(value, str) and (keyword == "CodeMeaning" or keyword.endswith("Description")):
        longest = _LONGEST.get(dictionary_VR(keyword))
        return _CONTROL.sub(" ", value).strip()[:longest].rstrip()
    return value


def _mend_item(item: Dataset) -> None:
    coded = "CodeMeaning" in item
    for element in list(item):
        if element.is_empty:
            if coded:  # an empty Coding Scheme Version says no more than none, and only that conforms
                del item[element.tag]
        elif element.keyword:
            element.value = mended(element.keyword, element.value)
    if any(keyword in item for keyword in _ENHANCED) and not all(item.get(keyword) for keyword in _ENHANCED):
        for keyword in _ENHANCED:
            if keyword in item:
                del item[keyword]
