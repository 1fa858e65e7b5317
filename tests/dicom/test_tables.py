"""Our module tables against an independent transcription of the standard, and against the dictionary.

The oracle is highdicom's, made from PS3.3 of 2026b by program. It knows modules, attributes, nesting and types, not
conditions or values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import dictionary_is_retired
from pydicom.sr import _concepts_dict as concepts

from gateway.dicom import groups, modules
from gateway.dicom.conditions import Condition
from gateway.dicom.definition import Iod
from gateway.dicom.iods import BY_CLASS, BY_KEY
from gateway.dicom.modules import Attribute

Path_ = tuple[str, ...]


@cache
def oracle(name: str) -> Any:
    """One of highdicom's tables, read as data: importing the package would be of no use here."""
    spec = find_spec("highdicom")
    assert spec is not None and spec.origin is not None, "make setup-test installs it"
    return json.loads((Path(spec.origin).parent / "_standard" / f"{name}.json").read_text(encoding="utf-8"))


def ours(rows: tuple[Attribute, ...], path: Path_ = ()) -> Iterator[tuple[Path_, Attribute]]:
    for row in rows:
        yield (*path, row.keyword), row
        yield from ours(row.rows, (*path, row.keyword))


def key(module: str) -> str:
    return module.lower().replace(" ", "-").replace("/", "-")


@pytest.mark.parametrize("name", modules.names())
def test_a_module_has_exactly_the_attributes_and_types_of_the_standard(name: str) -> None:
    rows = dict(ours(modules.module(name).rows))
    unlisted = [path for path, row in rows.items() if row.open]  # the items hold anything, or content of SR
    theirs = {(*row["path"], row["keyword"]): row["type"] for row in oracle("module_attribute_map")[key(name)]}
    theirs = {path: kind for path, kind in theirs.items() if not any(path[: len(u)] == u != path for u in unlisted)}
    assert {path: row.type for path, row in rows.items()} == theirs


@pytest.mark.parametrize("iod", BY_CLASS.values(), ids=lambda iod: iod.key)
def test_an_iod_has_exactly_the_modules_and_usages_of_the_standard(iod: Iod) -> None:
    name = oracle("sop_class_iod_map")[iod.sop_class_uid]
    theirs = {row["key"]: row["usage"] for row in oracle("iod_module_map")[name]}
    assert {key(use.module): use.usage for use in iod.modules} == theirs


def every() -> Iterator[tuple[str, Attribute]]:
    for name in modules.names():
        todo = list(modules.module(name).rows)
        while todo:
            row = todo.pop()
            yield name, row
            todo.extend(row.rows)


def test_no_table_names_a_retired_attribute() -> None:
    assert {row.keyword for _, row in every() if dictionary_is_retired(row.tag)} == set()


def test_every_conditional_attribute_says_its_condition_and_no_other_has_one() -> None:
    for name, row in every():
        said = bool(row.needed or row.world)
        assert said == row.type.endswith("C"), f"{name}: {row.keyword}"


def test_conditions_can_be_said_in_words() -> None:
    for _, row in every():
        for condition in (row.needed, row.allowed):
            if isinstance(condition, Condition):
                assert " is " in condition.words


def test_a_slip_in_a_table_is_an_error_that_names_it() -> None:
    for slip in ("PatientNaem 2", "PatientName 4", "PatientSex 1C", "PatientSex 1C if Sex = M", "PatientSex 3 or"):
        with pytest.raises(ValueError, match=r"PatientNaem|PatientName|PatientSex|Sex"):
            modules.row(slip)


CIDS = groups.numbers()


@pytest.mark.parametrize("cid", CIDS)
def test_a_context_group_has_exactly_the_codes_of_the_dictionary(cid: str) -> None:
    theirs = {
        (scheme, code)
        for scheme, names in concepts.concepts.items()
        for codes in names.values()
        for code, (_, cids) in codes.items()
        if int(cid) in cids
    }
    assert groups.codes(cid) == theirs


def test_every_group_that_a_table_names_is_there() -> None:
    named = {row.group.cid for _, row in every() if row.group} - {groups.UNITS}
    named |= {cid for iod in BY_KEY.values() if iod.limits for cid in iod.limits.sources}
    assert named <= set(CIDS)
