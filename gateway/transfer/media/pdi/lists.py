"""What lists the studies: INDEX.HTM with the newest, lists of all of them, and beside them README.TXT and the style."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gateway.transfer.media.pdi import pages, readme, words
from gateway.transfer.media.pdi.readme import About
from gateway.transfer.media.pdi.shelf import PAGES, STYLE, Shelf
from gateway.transfer.media.pdi.studies import FORMAT
from gateway.transfer.media.pdi.tree import Tree
from gateway.transfer.media.profiles import Profile

_PER_LIST = 200  # studies; as many stand in INDEX.HTM
_MOST_COUNTED = 500  # instances of one study


class Lists:
    """Takes every study in order, then writes. ``elsewhere``: names that another's file has in the root."""

    def __init__(self, tree: Tree, shelf: Shelf, about: About, profile: Profile, updated: str) -> None:
        self._tree, self._shelf, self._about, self._profile = tree, shelf, about, profile
        self._updated = updated
        self._studies: list[tuple[int, int, str]] = []
        self._digests = array("Q")
        self._index, self._readme = shelf.place("INDEX.HTM"), shelf.place("README.TXT")
        self.elsewhere = [place.rpartition("/")[2] for place in (self._index, self._readme) if "/" in place]

    @property
    def index_from_pages(self) -> str:
        """INDEX.HTM as seen from the folder IHE_PDI."""
        return self._index.removeprefix(f"{PAGES}/") if "/" in self._index else f"../{self._index}"

    def take(self, patient: int, study: int, folder: str, digest: bytes) -> None:
        self._studies.append((patient, study, folder))
        self._digests.append(int.from_bytes(digest, "big") ^ bool(folder))

    def style(self) -> None:
        data = Path(__file__).with_name("style.css").read_bytes()
        self._write(STYLE, 0, data, lambda: data)

    def all_studies(self) -> None:
        """The lists beyond INDEX.HTM; none if everything stands there."""
        count = len(self._studies)
        if count <= _PER_LIST:
            return
        for start in range(0, count, _PER_LIST):
            end = min(start + _PER_LIST, count)
            made_of = self._digests[start:end].tobytes() + self._index.encode()
            title = f"Studies {start + 1} to {end}"
            self._write(
                f"{PAGES}/{_list_name(start)}",
                end - start,
                made_of,
                lambda s=start, e=end, t=title: pages.listing(self._rows(s, e), t, self.index_from_pages).encode(),  # type: ignore[misc]
            )

    def index(self) -> None:
        count = len(self._studies)
        start = max(0, count - _PER_LIST)
        base = "" if "/" in self._index else f"{PAGES}/"
        starts = range(0, count, _PER_LIST) if start else ()
        lists = [(_list_name(s), f"{s + 1} - {min(s + _PER_LIST, count)}") for s in starts]
        beside = self._readme.rpartition("/")[2] if "/" in self._readme else "README.TXT"
        to_readme = beside if ("/" in self._index) == ("/" in self._readme) else _across(self._index, beside)
        about = self._about
        institution = ", ".join(part for part in (about.institution, about.department) if part)
        made_of = f"{count} {self._tree.file_set_id} {institution} {about.contact} {base} {to_readme}".encode()
        self._write(
            self._index,
            count % 1_000_000,
            made_of + self._digests[start:].tobytes(),
            lambda: pages.index(
                self._rows(start, count)[::-1],
                lists,
                count,
                institution,
                about.contact,
                words.clean(self._tree.file_set_id),
                self._updated,
                base,
                to_readme,
            ).encode(),
        )

    def readme(self) -> None:
        made_of = f"{self._about} {self._profile.name} {self._tree.file_set_id}".encode()
        title = words.clean(self._tree.file_set_id)
        self._write(
            self._readme, 0, made_of, lambda: readme.text(self._about, self._profile, title, self._updated).encode()
        )

    def _write(self, name: str, count: int, made_of: bytes, make: Callable[[], bytes]) -> None:
        digest = hashlib.blake2b(FORMAT.encode() + made_of, digest_size=8).hexdigest()
        if self._shelf.known.get(name) != (count, digest) or not (self._shelf.root / name).is_file():
            self._shelf.put_whole(name, make())
            self._shelf.remember(name, count, digest)

    def _rows(self, start: int, end: int) -> list[pages.Row]:
        return [self._row(*self._studies[number]) for number in range(start, end)]

    def _row(self, patient: int, study: int, folder: str) -> pages.Row:
        who, what = self._tree.record(patient), self._tree.record(study)
        leaves = self._tree.leaves(study)
        kinds = Counter(words.kind(self._tree.record(leaf)) for _series, leaf in leaves[:_MOST_COUNTED])
        contents = ", ".join(kind if n == 1 else f"{n} \u00d7 {kind}" for kind, n in kinds.items())
        more = f" and {len(leaves) - _MOST_COUNTED} more" if len(leaves) > _MOST_COUNTED else ""
        return pages.Row(
            link=f"{folder}/{pages.page_name(1)}" if folder else "",
            patient=words.person(who),
            patient_id=words.text(who, 0x00100020),
            born=words.date(words.text(who, 0x00100030)),
            when=words.when(what, 0x00080020, 0x00080030),
            what=words.text(what, 0x00081030),
            contents=contents + more,
        )


def _list_name(start: int) -> str:
    return f"LIST{start // _PER_LIST + 1:04}.HTM"


def _across(index: str, name: str) -> str:
    """From INDEX.HTM to a README.TXT that is not beside it."""
    return f"../{name}" if "/" in index else f"{PAGES}/{name}"
