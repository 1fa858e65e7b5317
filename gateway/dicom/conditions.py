"""When a conditional attribute must, may or must not be there: the conditions of the module tables, as data.

Only what can be decided from the data set itself is written as a condition; one about the world ("if a trigger was
used") stays in words and never gives a finding. The notation stands in ``tables/README.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from pydicom._dicom_dict import RepeatersDictionary
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # the VRs that Specific Character Set is about
Chain = tuple[Dataset, ...]  # the data set, and the items that lead from it to the one that is looked at

# Defined terms of Body Part Examined that name a paired structure (PS3.16 annex L)
_PAIRED = """
    ADRENAL ANKLE ARM AXILLA BREAST CALF CLAVICLE EAR ELBOW EYE FEMUR FIBULA FINGER FOOT FOREARM HAND HIP HUMERUS
    KIDNEY KNEE LEG LUNG ORBIT OVARY PATELLA RADIUS SCAPULA SHOULDER TESTIS THIGH THUMB TIBIA TOE ULNA URETER WRIST
    ZYGOMA
"""


def non_ascii(dataset: Dataset) -> bool:
    """Whether a text value of the data set has a character outside the default repertoire."""
    return any(
        not str(element.value).isascii() for element in dataset.iterall() if element.VR in TEXT and element.value
    )


def animal(dataset: Dataset) -> bool:
    """Whether attributes that only an animal has say that the patient is one."""
    return not ANIMALS.isdisjoint(dataset.keys())


ANIMALS = frozenset(
    tag_for_keyword(keyword) or 0
    for keyword in (
        "PatientSpeciesDescription",
        "PatientSpeciesCodeSequence",
        "PatientBreedDescription",
        "PatientBreedCodeSequence",
        "BreedRegistrationSequence",
        "PatientSexNeutered",
        "StrainDescription",
        "StrainNomenclature",
        "StrainStockSequence",
        "StrainAdditionalInformation",
        "StrainCodeSequence",
        "GeneticModificationsSequence",
    )
)
RULES: dict[str, tuple[str, Callable[[Dataset], bool]]] = {
    "ANIMAL": ("other attributes say that the patient is an animal", animal),
    "TEXT": ("a text is not in the default character repertoire", non_ascii),
}
SETS: dict[str, tuple[str, frozenset[str]]] = {"PAIRED": ("a paired structure", frozenset(_PAIRED.split()))}


# Attributes of the repeating groups 60xx; the rows are about the first, 6000
OVERLAY = {row[4]: int(tag.replace("x", "0"), 16) for tag, row in RepeatersDictionary.items() if tag.startswith("60xx")}


def tag_of(keyword: str) -> int:
    """Raises ValueError for what is no keyword of the data dictionary: a slip in a table."""
    tag = OVERLAY.get(keyword) or tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no keyword of the data dictionary")
    return tag


@cache
def name(keyword: str) -> str:
    """The attribute's name as the standard writes it."""
    return dictionary_description(tag_of(keyword))


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison. ``up``: 0 in the item itself, 1 in the one around it, -1 in the data set."""

    up: int
    keywords: tuple[str, ...]  # sequences, and the attribute
    tags: tuple[int, ...]
    what: str  # "present", "absent", "filled", "empty", "is", "is not", "above", "rule"
    values: tuple[str, ...] = ()
    spoken: str = ""  # instead of the values

    def holds(self, chain: Chain) -> bool:
        if self.what == "rule":
            return RULES[self.values[0]][1](chain[0])
        start = chain[0] if self.up < 0 else chain[max(0, len(chain) - 1 - self.up)]
        return any(self._in(item) for item in _items(start, self.tags[:-1]))

    def _in(self, item: Dataset) -> bool:
        tag = self.tags[-1]
        if tag not in item:
            return self.what in ("absent", "empty", "is not")
        if self.what in ("present", "absent"):
            return self.what == "present"
        element = item[tag]
        if self.what in ("filled", "empty"):
            return element.is_empty == (self.what == "empty")
        value = "" if element.value is None else element.value
        given = [str(one) for one in value] if isinstance(value, (MultiValue, list)) else [str(value)]
        if self.what == "above":
            return any(float(one) > float(self.values[0]) for one in given if one)
        return any(one in self.values for one in given) == (self.what == "is")

    @property
    def words(self) -> str:
        if self.what == "rule":
            return RULES[self.values[0]][0]
        said = self.spoken or " or ".join(self.values)
        tail = {
            "present": "present",
            "absent": "absent",
            "filled": "not empty",
            "empty": "empty",
            "above": f"more than {said}",
        }
        tail |= {"is": said, "is not": f"not {said}"}
        return f"{name(self.keywords[-1])} is {tail[self.what]}"


@dataclass(frozen=True, slots=True)
class Condition:
    tests: tuple[Test, ...]
    both: bool  # joined by "and"

    def holds(self, chain: Chain) -> bool:
        return (all if self.both else any)(test.holds(chain) for test in self.tests)

    @property
    def words(self) -> str:
        return (" and " if self.both else " or ").join(test.words for test in self.tests)


def _items(start: Dataset, sequences: tuple[int, ...]) -> Iterator[Dataset]:
    if not sequences:
        yield start
        return
    if sequences[0] in start:
        for item in start[sequences[0]].value or ():
            yield from _items(item, sequences[1:])


_SPLIT = re.compile(r"^(/|\.\./)?(!)?([\w.]+)(?: (filled|empty)$| (!=|=|>) (.+)$)?$")


def parse(text: str) -> Condition:
    """A condition as the tables write it. Raises ValueError for what is none."""
    both = " and " in text
    if both and " or " in text:
        raise ValueError(f"{text!r}: 'and' and 'or' together are not told apart")
    return Condition(tuple(_test(part.strip()) for part in text.split(" and " if both else " or ")), both)


def _test(text: str) -> Test:
    if text.startswith("#"):
        return Test(-1, (), (), "rule", (text[1:],))
    found = _SPLIT.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no condition")
    place, absent, path, filled, sign, right = found.groups()
    keywords = tuple(path.split("."))
    up = {"/": -1, "../": 1, None: 0}[place]
    tags = tuple(tag_of(keyword) for keyword in keywords)
    if sign is None:
        return Test(up, keywords, tags, "absent" if absent else filled or "present")
    what = {"=": "is", "!=": "is not", ">": "above"}[sign]
    if right.startswith("#"):
        spoken, values = SETS[right[1:]]
        return Test(up, keywords, tags, what, tuple(sorted(values)), spoken)
    return Test(up, keywords, tags, what, tuple(right.split("|")))
