"""What must hold of every disk that a power cut may leave: the promises, as predicates.

Each takes a disk image (materialised in a folder) and what was told until the cut, and raises Broken in words.
"""

from __future__ import annotations

import dataclasses

from crash.found import Broken, audit, audited, holds, in_records, is_of, read, require, rows, spooled, told_of, waived
from crash.told import Told

from gateway import exam
from gateway.acquire import standing
from gateway.clock import Clock
from gateway.settings import Settings
from gateway.spool import holding, layout, marks
from gateway.spool.empty import TORN
from gateway.worklists import cached_worklists

# What holds at once, before anything recovers.


def every_exam_that_was_opened_says_the_same(settings: Settings, told: Told) -> None:
    for name, said in told.exams.items():
        try:
            found = exam.load(settings.places, name)
        except Exception as error:
            raise Broken(f"exam {name}: {error}") from error
        if said.closed is None:  # it may just have been closed
            found = dataclasses.replace(found, closed=None)
        require(found == said, f"exam {name} says something else")


def every_synced_sample_is_in_a_place_that_counts(settings: Settings, told: Told) -> None:
    """In the records, in an instance in the spool, or with every destination that was not waived, committed."""
    for name, promised in told.recordings.items():
        if told.decided("discard", name) or in_records(settings.places.acquisition(name), promised):
            continue
        stored = (p.read_bytes() for p in (settings.places.instances / name).glob("[!.]*.dcm"))
        if any(holds(data, promised) for data in stored):
            continue
        for destination, pacs in told.pacs.items():
            ours = [u for u in pacs.committed if is_of(pacs.held[u], promised) and holds(pacs.held[u], promised)]
            require(
                ours or waived(told, promised, destination),
                f"recording {name}: {promised.synced} synced samples are gone",
            )


def what_was_torn_off_is_kept_with_the_recording(settings: Settings, told: Told) -> None:
    for name, tail in told.torn.items():
        folder = settings.places.acquisition(name)
        going = rows(settings, f"SELECT 1 FROM instances WHERE acquisition = '{name}' AND state <> 'SPOOLED'")
        if not going and (folder / "records").exists() and not (folder / "records").read_bytes().endswith(tail):
            kept = folder / TORN
            require(kept.exists() and kept.read_bytes().endswith(tail), f"the torn end of {name} is gone")


def every_answered_decision_is_in_the_audit_trail(settings: Settings, told: Told) -> None:
    trail = audit(settings)
    for decision in told.decisions:
        if decision.answered:
            require(audited(trail, decision.what, decision.subject), f"nobody knows who decided: {decision}")


def no_decision_has_an_effect_before_it_is_in_the_audit_trail(settings: Settings, told: Told) -> None:
    trail = audit(settings)
    for name, promised in told.recordings.items():
        folder = settings.places.acquisition(name)
        held = holding.reason(folder)
        if held is not None and held.kind == holding.PERSON:
            require(audited(trail, "hold", name), f"{name} is held by a person, and nobody knows by whom")
        if (folder / holding.ATTRIBUTED).exists() or any(told_of(told, promised)):
            known = promised.exam or audited(trail, "attribute", name)
            require(known, f"{name} was given to a patient, and nobody knows by whom")
        if promised.test and promised.synced and not in_records(folder, promised):
            require(audited(trail, "discard", name), f"{name} was discarded, and nobody knows by whom")
    for row in rows(settings, "SELECT instance, held, waived FROM deliveries"):
        for what in ("held", "waived"):
            if str(row[what]).startswith(f"{what} by a person"):
                verb = "hold" if what == "held" else "waive"
                require(audited(trail, verb, row["instance"]), f"{row['instance']} is {what}, and nobody knows by whom")


def every_answered_decision_stands(settings: Settings, told: Told) -> None:
    for name in told.recordings:
        folder = settings.places.acquisition(name)
        hold, release = told.decided("hold", name), told.decided("release", name)
        if hold and hold.answered and not release:
            held = holding.reason(folder)
            require(held and held.kind == holding.PERSON, f"the person's hold on {name} is forgotten: {held}")
        if release and release.answered and (held := holding.reason(folder)):
            require(held.kind != holding.PERSON, f"{name} was released, and is held again")
        given = told.decided("attribute", name)
        going = rows(settings, f"SELECT 1 FROM instances WHERE acquisition = '{name}' AND state <> 'SPOOLED'")
        facts = holding.facts(folder) if given and given.answered and not going else None
        if facts is not None:
            require(holding.exam_of(folder, facts), f"{name} was given to an exam, and is nobody's again")
        discard = told.decided("discard", name)
        if discard and discard.answered:
            require(not folder.exists(), f"{name} was discarded, and is there again")


def what_a_person_decided_of_a_delivery_lies_beside_the_instance(settings: Settings, told: Told) -> None:
    """So that it stands also when the ledger is lost."""
    for number, decision in enumerate(told.decisions):
        path = next((path for path in spooled(settings) if path.stem == decision.subject), None)
        later = {d.what for d in told.decisions[number + 1 :] if d.subject == decision.subject}
        if path is None or decision.destination is None or not decision.answered:
            continue
        found = marks.of(path)
        require(marks.EVERY not in found, f"what stands of {decision.subject} cannot be read")
        one = found.get(decision.destination, marks.Mark())
        if decision.what == "hold" and "release" not in later:
            require(one.held, f"the person's hold on a delivery of {decision.subject} is forgotten")
        if decision.what == "release":
            require(one.held is None, f"a delivery of {decision.subject} was released, and is held again")
        if decision.what == "waive":
            require(one.waived, f"that {decision.destination} was waived is forgotten")


def the_worklist_is_there(settings: Settings, told: Told) -> None:
    try:
        found = [w.source for w in cached_worklists(settings.places.worklist)]
    except Exception as error:
        raise Broken(f"the worklist cannot be read: {error}") from error
    require(found or not told.worklist, "the worklist is gone")


def every_instance_has_its_hash_beside_it(settings: Settings, told: Told) -> None:
    del told
    for path in spooled(settings):
        kept = layout.read_sums(path.parent).get(path.stem)
        require(kept == layout.sha256(path), f"{path.name} has lost its hash, or is not what was written")


def what_was_ordered_goes_on_and_what_was_stopped_does_not(settings: Settings, told: Told) -> None:
    """What goes on after a reboot is nobody's."""
    for device, stands in told.orders.items():
        found = standing.resumed(settings.places, device, Clock("always").now(), 300.0)
        require(found or not stands, f"the order to {device} is forgotten")
        require(not found or stands, f"{device} was stopped, and goes on")
        require(not found or found.exam is None, f"{device} goes on for exam {found and found.exam}")


def what_was_imported_is_here_or_with_every_pacs_and_held_if_nobody_vouches_for_it(
    settings: Settings, told: Told
) -> None:
    for uid, one in told.imported.items():
        places = [*settings.places.instances.glob(f"import-*/{uid}.dcm")]
        places += settings.places.instances.glob(f".import-*.staged/{uid}.dcm")
        whole = [path for path in places if path.read_bytes() == one.data]
        everywhere = all(uid in pacs.committed for pacs in told.pacs.values())
        require(whole or everywhere, f"{uid} was imported, and is gone")
        for path in whole:
            found = marks.of(path)
            for name in told.pacs:
                mark = found.get(name, found.get(marks.EVERY, marks.Mark()))
                open_to_all = told.decided("release", uid) or not one.held
                require(mark.held or open_to_all, f"{uid} came from other media, and would be sent")
                answered = (decision := told.decided("release", uid)) and decision.answered
                require(not (answered and mark.held), f"{uid} was released, and is held again")


AT_ONCE = (
    what_was_imported_is_here_or_with_every_pacs_and_held_if_nobody_vouches_for_it,
    what_was_ordered_goes_on_and_what_was_stopped_does_not,
    every_instance_has_its_hash_beside_it,
    every_exam_that_was_opened_says_the_same,
    every_synced_sample_is_in_a_place_that_counts,
    what_was_torn_off_is_kept_with_the_recording,
    every_answered_decision_is_in_the_audit_trail,
    no_decision_has_an_effect_before_it_is_in_the_audit_trail,
    every_answered_decision_stands,
    what_a_person_decided_of_a_delivery_lies_beside_the_instance,
    the_worklist_is_there,
)


# What recovery and a whole run come to.


def every_recording_is_with_every_destination_once(settings: Settings, told: Told) -> None:
    del settings
    for name, promised in told.recordings.items():
        if told.decided("discard", name) or not promised.synced:
            continue
        for destination, pacs in told.pacs.items():
            ours = [uid for uid in pacs.committed if is_of(pacs.held[uid], promised)]
            if waived(told, promised, destination) and not ours:
                continue
            require(len(ours) == told.each, f"{destination} has committed to {len(ours)} instances of {name}")
            for data in (pacs.held[uid] for uid in ours):
                require(holds(data, promised), f"what {destination} has of {name} is not what was recorded")
                right = not promised.ended or not read(data).cut_off
                require(right, f"{name} was ended in order, and {destination} reads: cut off")


def what_was_imported_is_with_every_pacs_as_it_was(settings: Settings, told: Told) -> None:
    del settings
    for uid, one in told.imported.items():
        for name, pacs in told.pacs.items():
            require(pacs.held.get(uid) == one.data, f"{uid} was imported, and is not with {name}")
            require(uid in pacs.committed, f"{name} was never asked for {uid}")


def an_instance_is_the_same_however_often_it_is_offered(settings: Settings, told: Told) -> None:
    del settings
    seen: dict[str, bytes] = {}
    for pacs in told.pacs.values():
        for uid, data in pacs.offers:  # type: ignore[attr-defined]
            require(seen.setdefault(uid, data) == data, f"{uid} was offered with different bytes")


def no_recording_is_under_a_wrong_patient(settings: Settings, told: Told) -> None:
    del settings
    for name, promised in told.recordings.items():
        for data in told_of(told, promised):
            right = "PAT-1" if promised.exam else told.patients.get(name)
            require(read(data).patient == right, f"{name} of {right} was sent as of {read(data).patient}")


def all_that_was_made_of_an_exam_says_the_same_time(settings: Settings, told: Told) -> None:
    """The exam began once, and each recording too, whatever the clock learned meanwhile."""
    del settings
    began: dict[str, set[str]] = {}
    for promised in told.recordings.values():
        found = [read(data) for data in told_of(told, promised)]
        require(len({one.acquired for one in found}) <= 1, "instances of one recording say different times")
        began.setdefault(promised.exam or "", set()).update(one.study for one in found)
    for name, times in began.items():
        require(len(times) <= 1 or not name, f"exam {name} began at different times: {sorted(times)}")


def nothing_is_left_over(settings: Settings, told: Told) -> None:
    del told
    here = settings.places
    for row in rows(settings, "SELECT uid, state, corrupt FROM instances"):
        require(row["state"] == "PURGED" and not row["corrupt"], f"{row['uid']}: {row['state']}, {row['corrupt']}")
    for folder in (here.acquisitions, here.instances):
        left = sorted(p.name for p in folder.iterdir() if not (p / TORN).exists()) if folder.exists() else []
        require(not left, f"left over in {folder.name}/: {left}")
    parts = [p.relative_to(here.data).as_posix() for p in here.data.rglob(".*.part")]
    require(not parts, f"never swept: {parts}")
    empty = [p.parent.name for p in here.exams.glob("*/") if not (p / "exam.json").exists()]
    require(not empty, f"exams without a word: {empty}")


IN_THE_END = (
    what_was_imported_is_with_every_pacs_as_it_was,
    every_recording_is_with_every_destination_once,
    an_instance_is_the_same_however_often_it_is_offered,
    no_recording_is_under_a_wrong_patient,
    all_that_was_made_of_an_exam_says_the_same_time,
    every_exam_that_was_opened_says_the_same,
    every_answered_decision_is_in_the_audit_trail,
    nothing_is_left_over,
)
