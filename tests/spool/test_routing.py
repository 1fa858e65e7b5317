"""Where an instance goes: by class, device, step and patient, to all that want it, and never silently nowhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooling import CLOCK, DESTINATION, ITEM, Box, Pacs, record, somebodys_exam

from gateway import cli, configuration, exam
from gateway.destination import PATIENTS, Destination
from gateway.errors import Misuse
from gateway.model import Attributed
from gateway.settings import Settings
from gateway.sop_classes import WRITTEN
from gateway.spool import coverage, survey
from gateway.spool.desk import Desk
from gateway.spool.routing import Seen, takes, where

TWELVE, GENERAL = WRITTEN["twelve-lead"], WRITTEN["general"]
SEEN = Seen(TWELVE, "ECG", frozenset({("93000", "C4"), ("REST", "99LOCAL")}), "ecg1", "scheduled")


def to(name: str = "pacs", **rules: Any) -> Destination:
    return Destination(name=name, ae_title="A", host="h", **rules)


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ({}, True),
        ({"only_classes": (TWELVE,)}, True),
        ({"only_classes": (GENERAL,)}, False),
        ({"only_classes": (GENERAL, TWELVE)}, True),
        ({"only_devices": ("ecg1",)}, True),
        ({"only_devices": ("ecg2",)}, False),
        ({"only_modalities": ("ECG", "HD")}, True),
        ({"only_modalities": ("HD",)}, False),
        ({"only_procedures": ("93000",)}, True),
        ({"only_procedures": ("93000^C4",)}, True),
        ({"only_procedures": ("93000^LN",)}, False),
        ({"only_procedures": ("STRESS", "REST")}, True),
        ({"only_procedures": ("STRESS",)}, False),
        ({"only_patients": ("scheduled",)}, True),
        ({"only_patients": ("unidentified", "test")}, False),
        ({"only_devices": ("ecg1",), "only_patients": ("test",)}, False),  # all rules, not one of them
        ({"only_devices": ("ecg1",), "only_patients": ("scheduled",), "only_classes": (TWELVE,)}, True),
    ],
)
def test_a_destination_takes_what_all_its_rules_allow(rules: dict[str, Any], verdict: bool) -> None:
    assert takes(to(**rules), SEEN) is verdict


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ({}, True),  # who does not ask need not know
        ({"only_devices": ("ecg1",)}, None),
        ({"only_patients": ("test",)}, None),
        ({"only_devices": ("ecg1",), "only_classes": (GENERAL,)}, False),  # another rule says no
        ({"only_devices": ("ecg1",), "only_classes": (TWELVE,)}, None),
    ],
)
def test_what_nobody_can_say_any_more_is_neither_yes_nor_no(rules: dict[str, Any], verdict: bool | None) -> None:
    unknown = Seen(TWELVE, "ECG", frozenset(), None, None)
    assert takes(to(**rules), unknown) is verdict
    held = [w.held for w in where([to(**rules)], unknown)]
    assert [bool(h) for h in held] == {True: [False], None: [True], False: []}[verdict]


rules = st.builds(
    dict,
    only_classes=st.sets(st.sampled_from([TWELVE, GENERAL])).map(tuple),
    only_devices=st.sets(st.sampled_from(["ecg1", "ecg2"])).map(tuple),
    only_modalities=st.sets(st.sampled_from(["ECG", "HD"])).map(tuple),
    only_procedures=st.sets(st.sampled_from(["A", "A^X", "B"])).map(tuple),
    only_patients=st.sets(st.sampled_from(PATIENTS)).map(tuple),
)
seen = st.builds(
    Seen,
    st.sampled_from([TWELVE, GENERAL]),
    st.sampled_from(["ECG", "HD"]),
    st.frozensets(st.sampled_from([("A", "X"), ("A", "Y"), ("B", "")])),
    st.sampled_from(["ecg1", "ecg2", None]),
    st.sampled_from([*PATIENTS, None]),
)


@given(st.lists(rules, max_size=4), seen, st.lists(st.booleans(), min_size=4, max_size=4))
def test_each_destination_is_asked_by_itself_and_a_stand_in_gets_nothing_of_its_own(
    several: list[dict[str, Any]], one: Seen, stand_ins: list[bool]
) -> None:
    there = [
        to(f"d{i}", stands_in_for="another" if s else "", **r)
        for i, (r, s) in enumerate(zip(several, stand_ins, strict=False))
    ]
    found = {w.destination: w for w in where(there, one)}
    for each in there:
        alone = where([each], one)
        assert [found[each.name]] == list(alone) if alone else each.name not in found
        assert not (each.stands_in_for and alone)


@given(rules, seen, st.sampled_from(["only_classes", "only_devices", "only_modalities", "only_procedures"]))
def test_to_take_a_rule_out_never_takes_an_instance_away(rule: dict[str, Any], one: Seen, key: str) -> None:
    order = {False: 0, None: 1, True: 2}
    assert order[takes(to(**(rule | {key: ()})), one)] >= order[takes(to(**rule), one)]


def configured(config: Path, **destinations: str) -> Settings:
    text = config.read_text()
    for name, more in destinations.items():
        text += DESTINATION.format(name=name, port=104, policy="commitment") + more + "\n"
    config.write_text(text)
    return configuration.load(config)


def gone_to(box: Box) -> dict[str, set[str]]:
    """By device: the destinations of what it recorded."""
    found: dict[str, set[str]] = {}
    for row in box.ledger.query(
        "SELECT i.device, d.destination FROM deliveries d JOIN instances i ON i.uid=d.instance"
    ):
        found.setdefault(row["device"], set()).add(row["destination"])
    return found


def restarted(box: Box, settings: Settings | None = None, lose: bool = False) -> Box:
    box.ledger.close()
    if lose:
        for path in box.settings.box.data.glob("ledger.sqlite*"):
            path.unlink()
    again = Box(settings or box.settings, box.pacs, retention=7.0)
    again.take_in()
    return again


@pytest.mark.parametrize("lose", [False, True], ids=["kept", "lost"])
def test_each_recording_goes_where_the_rules_say_also_without_its_ledger(config: Path, pacs: Pacs, lose: bool) -> None:
    settings = configured(
        config, everything="", one='only_devices = ["ecg1"]', research='only_patients = ["test", "entered"]'
    )
    for device, how in (("ecg1", Attributed.SCHEDULED), ("ecg2", Attributed.MANUAL)):
        record(settings, somebodys_exam(settings, device, how).exam, 50, device)
    box = Box(settings, pacs)
    box.take_in()
    if lose:
        box = restarted(box, lose=True)
    assert gone_to(box) == {"ecg1": {"everything", "one"}, "ecg2": {"everything", "research"}}
    box.deliver()
    assert {r["state"] for r in box.ledger.query("SELECT state FROM deliveries")} == {"COMMITTED"}


def test_a_step_goes_by_the_codes_that_it_was_scheduled_with(config: Path, pacs: Pacs) -> None:
    settings = configured(config, rest='only_procedures = ["REST^99LOCAL"]', code='only_procedures = ["93000"]')

    def coded(value: str, scheme: str) -> dict[str, Any]:
        item = {"00080100": ("SH", value), "00080102": ("SH", scheme), "00080104": ("LO", "what it means")}
        return {"vr": "SQ", "Value": [{tag: {"vr": vr, "Value": [v]} for tag, (vr, v) in item.items()}]}

    step = ITEM["00400100"]["Value"][0] | {"00400008": coded("REST", "99LOCAL")}
    protocol = {"00400100": {"vr": "SQ", "Value": [step]}}
    for device, more in (("ecg1", protocol), ("ecg2", {"00321064": coded("93000", "C4")})):
        whose = exam.open_exam(settings.places, CLOCK, (device,), Attributed.SCHEDULED, ITEM | more)
        record(settings, whose.exam, 50, device)
    box = Box(settings, pacs)
    box.take_in()
    assert gone_to(box) == {"ecg1": {"rest"}, "ecg2": {"code"}}


def test_what_no_rule_takes_is_told_and_kept_until_a_rule_takes_it(
    config: Path, pacs: Pacs, caplog: pytest.LogCaptureFixture
) -> None:
    before = config.read_text()
    settings = configured(config, one='only_devices = ["ecg1"]')
    record(settings, somebodys_exam(settings, "ecg2").exam, 50, "ecg2")
    with caplog.at_level(logging.WARNING):
        box = Box(settings, pacs)
        box.take_in()
    assert "goes to no destination: no rule takes it" in caplog.text
    counts = survey.queue(box.ledger)
    (trouble,) = survey.troubles(settings, box.ledger, CLOCK, counts)
    assert trouble.startswith("1 instances go to no destination: no rule takes it; widen one and restart forward, or:")
    (waits,) = desk(box).queue({})["unrouted"]
    assert waits["device"] == "ecg2"
    box.deliver()
    box.purger.turn()
    assert not pacs.stores
    again = restarted(restarted(box, lose=True))
    assert survey.queue(again.ledger)["unrouted"] == 1  # also without the ledger
    assert list(settings.places.instances.glob("*/*.dcm"))
    config.write_text(before)
    wider = restarted(again, configured(config, one=""))
    wider.deliver()
    assert survey.queue(wider.ledger)["unrouted"] == 0
    assert pacs.committed == {waits["instance"]}


def desk(box: Box) -> Desk:
    return Desk(box.settings, box.ledger, CLOCK, box.rewrap, box.remake, lambda: None)


def test_a_person_sends_it_where_no_rule_would_and_that_outlives_the_ledger(config: Path, pacs: Pacs) -> None:
    settings = configured(config, one='only_devices = ["ecg1"]', two='only_devices = ["ecg1"]')
    record(settings, somebodys_exam(settings, "ecg2").exam, 50, "ecg2")
    box = Box(settings, pacs)
    box.take_in()
    (waits,) = desk(box).queue({})["unrouted"]
    with pytest.raises(Misuse, match="no destination 'three' is configured"):
        desk(box).handlers["route"]({"instance": waits["instance"], "destination": "three"})
    desk(box).handlers["route"]({"instance": waits["instance"], "destination": "two", "who": "Ann", "why": "asked"})
    assert '"what": "route"' in settings.places.audit.read_text()
    assert gone_to(box) == {"ecg2": {"two"}}
    again = restarted(box, lose=True)
    assert gone_to(again) == {"ecg2": {"two"}}
    again.deliver()
    assert pacs.committed == {waits["instance"]}
    assert survey.queue(again.ledger)["unfinished"] == 0


def test_a_rule_that_depends_on_a_lost_exam_holds_it_for_a_person(config: Path, pacs: Pacs) -> None:
    settings = configured(config, all="", sure='only_patients = ["scheduled"]')
    whose = somebodys_exam(settings)
    record(settings, whose.exam, 50)
    box = Box(settings, pacs)
    box.take_in()
    settings.places.exam(whose.exam).write_text("{")
    again = restarted(box, lose=True)
    again.deliver()
    (uid,) = again.states("all")
    assert again.states("all") == {uid: "COMMITTED"}
    assert "how it came to its patient, so whether it is for sure" in again.delivery(uid, "sure")["held"]
    assert again.ledger.query("SELECT settled_at FROM instances")[0]["settled_at"] is None
    desk(again).handlers["release"]({"instance": uid, "who": "Ann"})
    again.deliver()
    assert again.states("sure") == {uid: "COMMITTED"}


def test_a_medium_takes_everything_and_may_take_responsibility(config: Path, pacs: Pacs, tmp_path: Path) -> None:
    config.write_text(config.read_text() + f'[media]\nfolder = "{tmp_path}/stick"\npolicy = "media-verified"\n')
    settings = configured(config, one='only_devices = ["ecg1"]')
    record(settings, somebodys_exam(settings, "ecg2").exam, 50, "ecg2")
    box = Box(settings, pacs)
    box.take_in()
    assert gone_to(box) == {"ecg2": {"media"}}
    assert survey.queue(box.ledger)["unrouted"] == 0


@pytest.mark.parametrize(
    ("more", "words", "fix"),
    [
        ('only_devices = ["ecg9"]', "names 'ecg9', which is no device of this box", "devices: ecg1, ecg2"),
        ('only_classes = ["12-lead"]', "may not be ['12-lead']", '"twelve-lead"'),
        ('only_patients = ["emergency"]', "may not be ['emergency']", '"unidentified"'),
        ('hours = ["25:00-06:00"]', "may not be ['25:00-06:00']", "HH:MM-HH:MM"),
        ('hours = ["06:00-06:00"]', "may not be ['06:00-06:00']", "HH:MM-HH:MM"),
        ("bandwidth = 3", "may not be 3", "from 8 to"),
        ('stands_in_for = "third"', "names 'third', which is no other destination", "others: pacs"),
        ('stands_in_for = "other"', "names 'other', which is no other destination", "others: pacs"),
        ("stand_in_after = 5", "needs the key 'stands_in_for'", "add it"),
        ('stands_in_for = "pacs"\nonly_devices = ["ecg1"]', "has no meaning for a stand-in", "take it out"),
    ],
)
def test_a_rule_that_can_never_be_right_is_refused_with_the_fix(config: Path, more: str, words: str, fix: str) -> None:
    with pytest.raises(Misuse) as refused:
        configured(config, pacs="", other=more)
    assert words in refused.value.message
    assert "[[destination]] no. 2" in refused.value.message
    assert fix in refused.value.fix


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('montage = ["Fp1", "Cz-A1"]\nreference = "A1+A2"', ""),
        ('reference = "M1"', ""),
        ('montage = ["Fp1", "Nonsense"]\nreference = "A1"', "'Nonsense'"),
        ('montage = ["Fp1-Nowhere"]', "'Nowhere'"),
        ('reference = "the ear"', "'the ear'"),
    ],
)
def test_the_configuration_check_names_an_electrode_that_there_is_not(config: Path, keys: str, words: str) -> None:
    section = f'\n[[device]]\nname = "cap"\nadapter = "openbci_cyton_eeg"\nport = "/dev/ttyUSB0"\n{keys}\n'
    config.write_text(config.read_text() + section)
    notes = coverage.notes(configuration.load(config))
    assert [words in note and "would be held" in note for note in notes] == [True] * bool(words)


def test_a_destination_for_reports_gets_those_of_a_folder(config: Path) -> None:
    section = '\n[[device]]\nname = "scope"\nadapter = "still_files"\nfolder = "/srv/scope"\n'
    configured(config, one="", two='only_classes = ["pdf"]')
    config.write_text(config.read_text() + section)
    assert coverage.notes(configuration.load(config)) == []


@pytest.mark.parametrize(
    ("one", "two", "found"),
    [
        ("", "", []),
        ('only_devices = ["ecg1"]', 'only_devices = ["ecg2"]', []),
        ('only_devices = ["ecg1"]', 'only_devices = ["ecg1"]', ["device ecg2: what it records goes to no destination"]),
        ("", 'only_patients = ["test"]', ["destination two: its rules allow nothing"]),
        ("", 'only_modalities = ["HD"]', ["destination two: its rules allow nothing"]),
        ("", 'only_classes = ["general-32"]', ["destination two: its rules allow nothing"]),
        ("", 'only_procedures = ["REST^99LOCAL"]', []),
        ("", 'only_procedures = ["REST"]\nonly_patients = ["unidentified"]', ["destination two: its rules allow"]),
    ],
)
def test_the_configuration_check_says_which_rules_can_never_match(
    config: Path, one: str, two: str, found: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    notes = coverage.notes(configured(config, one=one, two=two))
    assert [n.startswith(f) for n, f in zip(notes, found, strict=True)] == [True] * len(found)
    assert cli.main(["--config", str(config), "config", "check"]) == (1 if found else 0)
    assert all(note in capsys.readouterr().out for note in notes)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('stands_in_for = "other"', "names 'other', which is a stand-in itself"),
        ('stands_in_for = "pacs"', "gives 'pacs' a second stand-in"),
    ],
)
def test_one_stand_in_for_one_destination(config: Path, more: str, words: str) -> None:
    with pytest.raises(Misuse) as refused:
        configured(config, pacs="", other='stands_in_for = "pacs"', third=more)
    assert words in refused.value.message
