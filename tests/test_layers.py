"""The tree shows the way the data flows, and nothing goes against it: read from the source, lazy imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GATEWAY = ROOT / "gateway"

# A module may import what stands in its own line or before it. Shared files are gateway/*.py but the roots.
ORDER = ("shared", "acquire", "dicom", "spool", "transfer", "roots", "trial", "verbs", "web", "top")
ROOTS = {"capture": "roots", "forward": "roots", "stick": "roots", "console": "top", "cli": "top", "__main__": "top"}
# The settings table's reader asks the installed adapters for their own options: the API only, no shell.
EXCEPTIONS = {("gateway.configuration", "gateway.acquire.adapter")}

DURABLE = {"os": {"fsync", "fdatasync", "replace", "rename", "renames", "unlink", "remove", "rmdir", "removedirs"}}
DURABLE |= {"shutil": {"rmtree", "move"}}
DURABLE_METHODS = {"unlink", "rename", "rmdir"}
FORBIDDEN_STEMS = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
LONGEST = 300


def _name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_name(p): p for folder in ("gateway", "firmware_adapters") for p in sorted((ROOT / folder).rglob("*.py"))}


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def _imports(module: str) -> Iterator[str]:
    """Every module that ``module`` imports, at its top or within a function, by its full name."""
    package = module.split(".") if FILES[module].name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield whole if whole in FILES else source


def _stage(module: str) -> str:
    parts = module.split(".")
    if parts[0] == "firmware_adapters":
        return "acquire"
    if len(parts) == 1 or (len(parts) == 2 and FILES[module].name != "__init__.py"):
        return ROOTS.get(parts[-1], "shared")
    return parts[1]


def test_every_folder_has_its_place_in_the_order() -> None:
    folders = {p.name for p in GATEWAY.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == set(ORDER) - {"shared", "roots", "top"}
    assert {_stage(m) for m in FILES} <= set(ORDER)


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_go_one_way(module: str) -> None:
    own = ORDER.index(_stage(module))
    wrong = [
        found
        for found in _imports(module)
        if found in FILES and ORDER.index(_stage(found)) > own and (module, found) not in EXCEPTIONS
    ]
    assert not wrong, f"{module} is {ORDER[own]} and imports {wrong}"


def test_the_exceptions_are_still_needed() -> None:
    for module, found in EXCEPTIONS:
        assert found in set(_imports(module))


@pytest.mark.parametrize("module", sorted(FILES))
def test_nobody_takes_the_folder_of_units_for_systemd_python(module: str) -> None:
    for node in ast.walk(_tree(module)):
        assert not (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "systemd" for a in node.names))
    if "systemd" in {found.split(".")[0] for found in _imports(module)}:
        assert module == "gateway.service"


@pytest.mark.parametrize("module", sorted(set(FILES) - {"gateway.fsops"}))
def test_only_fsops_syncs_renames_and_removes(module: str) -> None:
    """``x.unlink()`` and the like are Path's; ``replace`` is text's too, so only os.replace is looked for."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module in DURABLE:
            assert not {a.name for a in node.names} & DURABLE[node.module]
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        where = f"{FILES[module]}:{node.lineno}"
        assert node.attr not in DURABLE.get(owner, ()), f"{where} uses {owner}.{node.attr}"
        assert node.attr not in DURABLE_METHODS or owner == "fsops", f"{where} uses .{node.attr}"


@pytest.mark.parametrize("module", sorted(FILES))
def test_pynetdicom_serves_only_the_trial_hospital(module: str) -> None:
    if "pynetdicom" in {found.split(".")[0] for found in _imports(module)}:
        assert _stage(module) == "trial"


def _closure(module: str) -> set[str]:
    """All that is imported once ``module`` is, modules of others included; packages load their __init__ too."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        if here in FILES:
            parents = [here.rsplit(".", n)[0] for n in range(1, here.count(".") + 1)]
            todo += [*_imports(here), *(p for p in parents if p in FILES)]
    return seen


def test_capture_can_load_neither_the_spool_nor_dicom_nor_a_database() -> None:
    adapters = [m for m in FILES if m.startswith("firmware_adapters.")]
    loaded = {top for m in ("gateway.capture", *adapters) for top in _closure(m)}
    stages = {_stage(m) for m in loaded if m in FILES}
    assert stages <= {"shared", "acquire", "roots"}
    assert not loaded & {"gateway.forward", "gateway.console"}
    assert not {m.split(".")[0] for m in loaded} & {"pydicom", "pynetdicom", "sqlite3", "http"}


def test_who_calls_the_box_meets_no_dicom_library() -> None:
    loaded = {m.split(".")[0] for m in _closure("gateway.transfer.committing.listener")}
    assert not loaded & {"pydicom", "pynetdicom", "sqlite3", "numpy"}


def test_the_console_opens_no_database() -> None:
    assert "sqlite3" not in {m.split(".")[0] for m in _imports("gateway.console")}
    for module in FILES:
        if _stage(module) == "web":
            assert not [m for m in _imports(module) if m.startswith(("gateway.spool", "gateway.forward", "sqlite3"))]


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_file_holds_one_idea(module: str) -> None:
    path = FILES[module]
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST
    assert path.stem not in FORBIDDEN_STEMS
    assert ast.get_docstring(_tree(module)), "say in the first line what this file is"
