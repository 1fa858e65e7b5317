"""The pages of each study: what they are made of is compared with what they were made of, then drawn and written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from gateway import __version__, fsops
from gateway.transfer.media.dicomdir.structure import Record
from gateway.transfer.media.pdi import pages, words
from gateway.transfer.media.pdi.shelf import PAGES, NoRoom, Shelf
from gateway.transfer.media.pdi.tree import Tree, name

FORMAT = f"1 {__version__}"  # what was made by another one is made again
_PER_PAGE = 20  # instances
_MOST_SHOWN = 20_000  # instances of one study
_SUFFIXES = (".SVG", ".PNG", ".JPG", ".PDF")


class Studies:
    """``room``: whether the medium has any left for pages. ``done``: instances that got their place on a page."""

    def __init__(self, tree: Tree, shelf: Shelf, back: str) -> None:
        self.room = True
        self.done = 0
        self._tree, self._shelf, self._back = tree, shelf, back
        self._taken: set[str] = set()

    def bring(self, patient: int, study: int) -> tuple[str, bytes]:
        """Bring a study's pages up to date. Returns their folder below IHE_PDI ("" if it has none), and a digest of
        what the study is made of."""
        leaves = self._tree.leaves(study)[:_MOST_SHOWN]
        folder = self._folder(patient, study)
        count, said = self._shelf.known.get(folder, (0, ""))
        digest = hashlib.blake2b(FORMAT.encode(), digest_size=8)
        digest.update(b"%d %d" % (self._tree.digest[patient], self._tree.digest[study]))
        trusted = 0
        for number, (series, leaf) in enumerate(leaves, 1):
            digest.update(b" %d %d" % (self._tree.digest[series], self._tree.digest[leaf]))
            if number == count and digest.hexdigest() == said:
                trusted = number
        if trusted < len(leaves) and self.room:
            try:
                self._make(folder, patient, study, leaves, trusted)
                self._shelf.remember(folder, len(leaves), digest.hexdigest())
                self.done += len(leaves) - trusted
            except NoRoom:
                self.room = False
        there = folder in self._shelf.known
        return folder.removeprefix(f"{PAGES}/") if there else "", digest.digest()

    def remove_gone(self) -> None:
        """What a study left that is on the medium no more: its patient's data must not stay."""
        for folder in [n for n in self._shelf.known if n.count("/") == 2 and n not in self._taken]:
            self._shelf.remove(folder)

    def _folder(self, patient: int, study: int) -> str:
        """A name of its own, the same each time. Should two studies come to the same one, the later gets another."""
        keys, salt = (self._tree.key[patient], self._tree.key[study]), 0
        while (folder := _path(name(*keys, *range(salt)))) in self._taken:
            salt += 1
        self._taken.add(folder)
        return folder

    def _make(self, folder: str, patient: int, study: int, leaves: Sequence[tuple[int, int]], trusted: int) -> None:
        """Draw from the ``trusted``-th instance on, write the pages from the one on where anything changes."""
        names = self._names(leaves)
        there = self._shelf.names(folder)
        if there:
            fsops.sweep(self._shelf.root / folder)
        expected = {names[n] + suffix for n in range(trusted) for suffix in _SUFFIXES}
        drawn = there & expected
        first = max(trusted - 1, 0) // _PER_PAGE  # the one before a new page gets a link to it
        head = (self._tree.record(patient), self._tree.record(study))
        for start in range(first * _PER_PAGE, len(leaves), _PER_PAGE):
            shown, institution = [], ""
            for number in range(start, min(start + _PER_PAGE, len(leaves))):
                series, leaf = leaves[number]
                record = self._tree.record(leaf)
                institution = institution or words.text(self._tree.record(series), 0x00080080)
                picture = next((names[number] + s for s in _SUFFIXES if names[number] + s in drawn), "")
                if number >= trusted:
                    picture = self._draw(folder, names[number], record)
                    drawn.add(picture)
                shown.append(_shown(record, picture))
            number, more = start // _PER_PAGE + 1, start + _PER_PAGE < len(leaves)
            page = pages.Study(
                patient=words.person(head[0]),
                what=words.text(head[1], 0x00081030),
                institution=institution,
                facts=_facts(*head, institution),
                shown=tuple(shown),
                number=number,
                more=more,
            )
            text = pages.study(page, self._back, "../../STYLE.CSS")
            self._shelf.put(f"{folder}/{pages.page_name(number)}", text.encode())
        if not trusted:
            last = (len(leaves) - 1) // _PER_PAGE + 1
            wanted = drawn | {pages.page_name(n + 1) for n in range(last)}
            for left in sorted(there - wanted):
                self._shelf.remove(f"{folder}/{left}")

    def _names(self, leaves: Sequence[tuple[int, int]]) -> list[str]:
        found: dict[str, None] = {}
        for _series, leaf in leaves:
            salt = 0
            while (one := name(self._tree.key[leaf], *range(salt))) in found:
                salt += 1
            found[one] = None
        return list(found)

    def _draw(self, folder: str, stem: str, record: Record) -> str:
        """Make a picture; returns its file name, empty if there is nothing to show."""
        from gateway.transfer.media.pdi import pictures  # noqa: PLC0415 - numpy and pydicom, only to draw

        file = pictures.relative(record.values.get(0x00041500, b""))
        made = None
        if file is not None:
            made = pictures.picture(self._shelf.root, file, record.type, record.values.get(0x00420012, b""))
        if made is None:
            return ""
        self._shelf.put(f"{folder}/{stem}{made[0]}", made[1])
        return stem + made[0]


def _path(stem: str) -> str:
    return f"{PAGES}/{stem[:2]}/{stem}"  # not all in one folder: FAT looks through a folder from its start


def _facts(patient: Record, study: Record, institution: str) -> tuple[tuple[str, str], ...]:
    sex = {"M": "male", "F": "female", "O": "other"}
    return (
        ("Patient ID", words.text(patient, 0x00100020)),
        ("Born", words.date(words.text(patient, 0x00100030))),
        ("Sex", sex.get(words.text(patient, 0x00100040), "")),
        ("Examined", words.when(study, 0x00080020, 0x00080030)),
        ("Accession number", words.text(study, 0x00080050)),
        ("Institution", institution),
    )


def _shown(record: Record, picture: str) -> pages.Shown:
    frames = words.text(record, 0x00280008)
    title = words.text(record, 0x00420010)
    if not picture:
        note = _NO_PICTURE.get(record.type, "No preview. A DICOM viewer opens the file named below.")
    elif record.type == "IMAGE" and frames not in ("", "1"):
        note = f"The first of {frames} frames."
    else:
        note = ""
    return pages.Shown(
        title=": ".join(part for part in (words.kind(record), title) if part),
        when=words.when(record, 0x00080023, 0x00080033) or words.moment(words.text(record, 0x0008002A)),
        picture=picture,
        note=note,
        file_id="DICOM file: " + words.text(record, 0x00041500).replace("\\", "/"),
    )


_NO_PICTURE: dict[str, Any] = {
    "IMAGE": "No preview: a browser cannot show this kind of image. A DICOM viewer opens the file named below.",
    "WAVEFORM": "No preview: this recording could not be drawn. A DICOM viewer opens the file named below.",
}
