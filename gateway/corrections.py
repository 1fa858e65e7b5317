"""An exam that was given to the wrong patient, or under a wrong identity: the one that corrects it, and its own end.

What was recorded is another patient's: a performed procedure step of its own (IHE PPS Exception Management). The wrong
one stays as it was told to the RIS, and ends as discontinued.
"""

from __future__ import annotations

import dataclasses

from gateway.clock import Clock
from gateway.errors import Held
from gateway.exam import keep, load, only_one, still_open, study_of
from gateway.identifiers import new_exam_id, new_uid
from gateway.model import Attributed, Attribution, Closing, Code, Correction, Exam
from gateway.places import Places
from gateway.step import Item, value


def correct(
    here: Places,
    clock: Clock,
    wrong: Exam,
    how: Attributed,
    item: Item,
    source: str = "",
    more: tuple[Item, ...] = (),
    *,
    why: str = "",
) -> Exam:
    """The exam that the recordings of ``wrong`` are given to, since they are another patient's; open, on no device.

    It was performed when ``wrong`` was. Begun and not finished, it is gone on with. A correction of the identity alone
    (the Patient ID stays) keeps the study; another patient never comes into a study that was the wrong one's.
    """
    now = clock.now()
    with only_one(here):
        for found in still_open(here):
            if found.corrects is not None and found.corrects.exam == wrong.exam:
                if found.attribution.items == (item, *more):
                    return found
                raise Held(
                    f"exam {wrong.exam} is being given to exam {found.exam} already, and that is not finished",
                    f"finish that first, with the same words; or give up: gateway exam stop {found.exam}",
                )
        same = value(item, "00100020") == value(wrong.attribution.item, "00100020")
        made = Exam(
            exam=new_exam_id(now.wall),
            step_uid=new_uid(),
            study_uid=study_of((item, *more)) or (wrong.study_uid if same else new_uid()),
            devices=(),
            opened=wrong.opened,
            attribution=Attribution(how, item, now, source, more),
            operator=wrong.operator,
            corrects=Correction(wrong.exam, wrong.attribution, wrong.study_uid, now, why),
        )
        keep(here, made)
    return made


def discontinue(here: Places, clock: Clock, exam: str, reason: Code) -> Exam:
    """Close an exam as one that was not what it was taken for; one that was closed as COMPLETED becomes that too."""
    with only_one(here):
        found = load(here, exam)
        at = found.closed.at if found.closed is not None else clock.now()
        if found.closed is not None and found.closed.status == "DISCONTINUED":
            return found
        closed = dataclasses.replace(found, closed=Closing("DISCONTINUED", at, reason))
        keep(here, closed)
    return closed
