"""A model of the disk that POSIX promises: what fsync made durable stays, of the rest anything may stay.

By inode, as in a file system: a file has the content of its last fsync and the present one; a folder has the entries of
its last fsync and changes since, each of which may survive a power cut alone. A file's fsync does not persist its name,
and a folder's fsync does not persist what its entries lead to. Of a file's unsynced data may be left: nothing; all;
a prefix; the new length filled with zeros; all but one 4 KiB block.

Renaming within one folder is one change (it is so in every journalling file system; POSIX itself says nothing of power
cuts); across folders it would be two.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 4096
PRODUCT = 16  # combinations of what may survive that are all tried; beyond them, each alone and all but each
Node = int
Content = bytes | dict[str, Node]  # of a file, of a folder
Image = dict[str, bytes | None]  # by relative path; None: a folder


@dataclass(frozen=True)
class Tree:
    """What lies below the root at one moment, by inode."""

    root: Node
    nodes: dict[Node, Content]

    def at(self, path: str) -> Node | None:
        node = self.root
        for name in Path(path).parts:
            entries = self.nodes.get(node)
            if not isinstance(entries, dict) or name not in entries:
                return None
            node = entries[name]
        return node


class Looking:
    """Reads trees; an inode number that was free in between names another inode."""

    def __init__(self, root: Path, leave_out: str) -> None:
        self._root = root
        self._leave_out = leave_out  # files whose name begins so are somebody else's
        self._known: dict[int, Node] = {}
        self._fresh = itertools.count()

    def look(self) -> Tree:
        seen: dict[int, Node] = {}
        nodes: dict[Node, Content] = {}

        def name(number: int) -> Node:
            if number not in seen:
                seen[number] = self._known[number] if number in self._known else next(self._fresh)
            return seen[number]

        def walk(folder: Path, node: Node) -> None:
            entries: dict[str, Node] = {}
            nodes[node] = entries
            with os.scandir(folder) as found:
                for one in found:
                    if one.name.startswith(self._leave_out):
                        continue
                    child = entries[one.name] = name(one.inode())
                    if one.is_dir():
                        walk(Path(one.path), child)
                    elif child not in nodes:
                        nodes[child] = Path(one.path).read_bytes()

        root = name(self._root.stat().st_ino)
        walk(self._root, root)
        self._known = seen
        return Tree(root, nodes)


Change = dict[str, Node | None]  # entries of one folder, made or (None) removed, together


@dataclass
class Disk:
    """What survives for certain, and what may."""

    now: Tree
    files: dict[Node, bytes] = field(default_factory=dict)
    folders: dict[Node, dict[str, Node]] = field(default_factory=dict)
    pending: dict[Node, list[Change]] = field(default_factory=dict)

    @classmethod
    def durable(cls, tree: Tree) -> Disk:
        """As after a reboot: all that is there is on the medium."""
        disk = cls(tree)
        for node in tree.nodes:
            disk.fsync(node)
        return disk

    def become(self, tree: Tree) -> None:
        """Take note of what was done since."""
        for node, content in tree.nodes.items():
            if isinstance(content, dict):
                before = self.now.nodes.get(node, {})
                assert isinstance(before, dict)
                self.folders.setdefault(node, {})
                self.pending.setdefault(node, []).extend(_changes(before, content))
        self.now = tree

    def fsync(self, node: Node) -> None:
        content = self.now.nodes[node]
        if isinstance(content, dict):
            self.folders[node] = dict(content)
            self.pending[node] = []
        else:
            self.files[node] = content

    def images(self) -> Iterator[Image]:
        """What may be found after a power cut now: nothing unsynced; all; each alone; all but each, torn; and, when
        they are few, all combinations."""
        changes = [(folder, i) for folder, pending in sorted(self.pending.items()) for i in range(len(pending))]
        dirty = {
            node: _tears(self.files.get(node, b""), content)
            for node, content in sorted(self.now.nodes.items())
            if isinstance(content, bytes) and self.files.get(node, b"") != content
        }
        all_changes, no_changes = frozenset(changes), frozenset[tuple[Node, int]]()
        all_data = {node: len(tears) - 1 for node, tears in dirty.items()}

        def image(survived: frozenset[tuple[Node, int]], data: dict[Node, int]) -> Image:
            return self._image(survived, {n: dirty[n][which] for n, which in data.items()})

        yield image(no_changes, {})
        yield image(all_changes, all_data)
        for one in changes:
            yield image(frozenset({one}), all_data)
            yield image(frozenset({one}), {})
            yield image(all_changes - {one}, all_data)
        for node, tears in dirty.items():
            for which in range(len(tears)):
                yield image(all_changes, all_data | {node: which})
                yield image(no_changes, {node: which})
        if 2 ** len(changes) * _product(len(t) for t in dirty.values()) <= PRODUCT:
            for bits in itertools.product((False, True), repeat=len(changes)):
                survived = frozenset(c for c, bit in zip(changes, bits, strict=True) if bit)
                for chosen in itertools.product(*(range(len(t)) for t in dirty.values())):
                    yield image(survived, dict(zip(dirty, chosen, strict=True)))

    def _image(self, survived: frozenset[tuple[Node, int]], data: dict[Node, bytes]) -> Image:
        made: Image = {}

        def walk(node: Node, path: str) -> None:
            if node not in self.folders:
                made[path] = data.get(node, self.files.get(node, b""))
                return
            if path:
                made[path] = None
            entries: dict[str, Node | None] = dict(self.folders[node])
            for i, change in enumerate(self.pending.get(node, [])):
                if (node, i) in survived:
                    entries |= change
            for name, child in sorted(entries.items()):
                if child is not None:
                    walk(child, f"{path}/{name}" if path else name)

        walk(self.now.root, "")
        return made


def key(image: Image) -> bytes:
    """The same for the same image."""
    digest = hashlib.sha256()
    for path, content in sorted(image.items()):
        digest.update(f"{path}\0{'/' if content is None else len(content)}\0".encode() + (content or b""))
    return digest.digest()


def _product(numbers: Iterator[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _changes(before: dict[str, Node], now: dict[str, Node]) -> Iterator[Change]:
    gone = {node: name for name, node in before.items() if now.get(name) != node and node not in now.values()}
    moved = {node: name for name, node in before.items() if now.get(name) != node and node in now.values()}
    replaced = set()
    for name, node in now.items():
        if before.get(name) == node:
            continue
        if name in before:
            replaced.add(name)
        yield ({moved[node]: None} if node in moved else {}) | {name: node}
    for name in gone.values():
        if name not in replaced:
            yield {name: None}


def _tears(old: bytes, new: bytes) -> list[bytes]:
    """Of a file's unsynced data: what may be left, "nothing" first and "all" last."""
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    half = same + (len(new) - same) // 2
    found = [old, new[:half], new[:half] + old[half:]]
    if len(new) > len(old):
        found.append(old + bytes(len(new) - len(old)))
    blocks = list(range(same - same % BLOCK, len(new), BLOCK))
    for block in blocks if len(blocks) < 4 else (blocks[0], blocks[len(blocks) // 2], blocks[-1]):
        start, stop = max(block, same), min(block + BLOCK, len(new))
        if (start, stop) != (same, len(new)):
            found.append(new[:start] + old[start:stop].ljust(stop - start, b"\0") + new[stop:])
    return [*dict.fromkeys(t for t in found if t != new), new]
