"""TABLE of the IHE integration statement: what is claimed, by which actor, and the test that shows it.

Nothing is claimed that no test shows; a test holds that each one named here exists. What a reader may look for and does
not find stands in :data:`NOT_CLAIMED`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.verbs.statement.document import Block, Heading, Paragraph, table


@dataclass(frozen=True, slots=True)
class Claim:
    """A transaction or an option of a profile's actor; ``shown``: path below tests/, and the test's name."""

    profile: str
    actor: str
    what: str
    words: str
    shown: tuple[str, ...]


_SWF, _ACQUISITION = "Scheduled Workflow.b (SWF.b)", "Acquisition Modality"
_PIR, _IOCM = "Patient Information Reconciliation (PIR)", "Imaging Object Change Management (IOCM)"
_PDI = "Portable Data for Imaging (PDI)"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        _SWF,
        _ACQUISITION,
        "Query Modality Worklist [RAD-5]; option Broad Worklist Query",
        "by date, modality and station",
        ("transfer/test_worklist.py::test_the_broad_query_finds_todays_items_with_all_names_unharmed",),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "Query Modality Worklist [RAD-5]; option Patient Based Worklist Query",
        "by name, Patient ID, accession number, Requested Procedure ID, alone or together",
        (
            "transfer/test_worklist.py::test_the_patient_query_matches_each_key_alone_and_all_together",
            "transfer/test_worklist.py::test_real_ris_answer_for_one_patient",
        ),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "Modality Procedure Step In Progress [RAD-6]",
        "as the exam begins; through outages, in order",
        (
            "dicom/test_performed_step.py::test_n_create_of_a_scheduled_exam_repeats_what_was_scheduled",
            "transfer/test_ris_outage.py::test_an_hour_without_the_ris_loses_no_step_and_keeps_their_order",
        ),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "Modality Procedure Step Completed/Discontinued [RAD-7]",
        "once, with every instance of the step",
        (
            "transfer/test_procedure_step.py::test_a_step_is_begun_and_completed",
            "dicom/test_performed_step.py::test_the_final_state_lists_waveforms_as_non_image_objects",
        ),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "Modality Images Stored [RAD-8]",
        "waveforms, stills and clips",
        (
            "end_to_end/test_hospitals.py::test_orthanc_stores_commits_and_gives_the_same_ecg_back",
            "end_to_end/test_waveform_round_trips.py::test_orthanc_gives_back_every_sample",
            "end_to_end/test_pictures.py::test_orthanc_shows_what_was_taken",
        ),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "Storage Commitment [RAD-10]",
        "reports on the same association or on another one",
        (
            "transfer/test_commitment.py::test_a_report_on_the_same_association_is_taken_before_or_after_the_response",
            "transfer/test_commitment.py::test_a_report_on_a_new_association_is_taken_by_the_listener",
        ),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "option PPS Exception Management",
        "discontinued with a reason of CID 9300; that the wrong worklist entry was chosen is one of them",
        (
            "dicom/test_performed_step.py::test_a_discontinued_step_gives_its_reason",
            "transfer/test_ris_outage.py::test_each_reason_is_one_of_cid_9300",
            "spool/test_reattribution.py::test_the_ris_hears_of_a_step_that_was_a_wrong_entry_and_of_one_that_has_the_recording",
        ),
    ),
    Claim(
        _SWF,
        _ACQUISITION,
        "option Modality Group Case",
        "one exam for several steps of one patient",
        (
            "dicom/test_group_case.py::test_the_step_has_one_item_for_each_scheduled_step_and_names_their_studies",
            "dicom/test_group_case.py::test_an_instance_of_a_group_conforms",
            "verbs/test_identity.py::test_several_steps_of_one_patient_make_one_exam",
        ),
    ),
    Claim(
        _PIR,
        _ACQUISITION,
        "unscheduled and unidentified patients [RAD-6, RAD-7, RAD-8, RAD-10]",
        "zero length for what nobody scheduled, a study of its own, an identity that no patient has",
        (
            "dicom/test_performed_step.py::test_n_create_of_an_unscheduled_exam_has_empty_ids_and_its_own_study",
            "verbs/test_identity.py::test_an_emergency_gets_an_identity_that_cannot_be_taken_for_a_patient",
        ),
    ),
    Claim(
        _IOCM,
        "Change Requester",
        "Rejection Note Stored [RAD-66]",
        "incorrect modality worklist entry; rejected for patient safety reasons",
        (
            "transfer/test_rejection_note.py::test_orthanc_files_the_note_with_the_patient_and_study_that_it_speaks_of",
            "spool/test_reattribution.py::test_what_a_pacs_has_is_withdrawn_by_a_note_and_sent_anew",
            "spool/test_reattribution.py::test_an_unidentified_patient_gets_a_name_and_the_old_one_is_withdrawn_for_safety",
        ),
    ),
    Claim(
        _PDI,
        "Portable Media Creator",
        "Distribute Imaging Information on Media [RAD-47]; option for USB media",
        "on USB sticks (and SD cards) only: the profile's CD, and DVD, are not written",
        (
            "transfer/media/test_judges.py::test_dciodvfy_finds_no_error",
            "transfer/media/test_judges.py::test_dcmmkdir_makes_the_same_tree_of_the_same_files",
        ),
    ),
    Claim(
        _PDI,
        "Portable Media Creator",
        "option Web Content",
        "INDEX.HTM, README.TXT and IHE_PDI",
        (
            "transfer/media/test_pages.py::test_everything_on_the_medium_can_be_reached_from_index_htm_and_has_a_name_that_pdi_allows",
            "transfer/media/test_pages_in_a_browser.py::test_index_htm_lists_every_study_and_leads_to_its_page",
        ),
    ),
)

NOT_CLAIMED: tuple[tuple[str, str], ...] = (
    ("Consistent Time (CT)", "time is the operating system's; the box only looks whether it is synchronized (NTP)"),
    (
        "Audit Trail and Node Authentication (ATNA)",
        "audit messages can be sent, but the listener takes no TLS",
    ),
    (
        "Resting ECG Workflow (REWF)",
        "its transactions are there (RAD-5 to RAD-10, 12-Lead ECG, queues for a box that is not always connected), but "
        "no test reads the profile's own rules",
    ),
    ("Encounter-Based Imaging Workflow (EBIW)", "a visit cannot be chosen: only scheduled steps, and entered patients"),
    ("SWF.b option Assisted Acquisition Protocol Setting", "a device's protocol is not set from the order"),
    ("SWF.b option Billing and Material Management", "no such attributes are in the procedure step"),
)


def chapter(level: int = 1) -> Iterator[Block]:
    yield Heading(level, "IHE integration profiles")
    yield Paragraph("Each line is shown by the tests that it names, which are part of the product.")
    head = ("Profile", "Actor", "Transaction or option", "How", "Shown by")
    rows = [(one.profile, one.actor, one.what, one.words, "; ".join(one.shown)) for one in CLAIMS]
    yield table("Claims", head, rows)
    yield table("Not claimed", ("Profile or option", "Why"), NOT_CLAIMED)
