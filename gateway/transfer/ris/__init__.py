"""The RIS: the modality worklist (PS3.4 annex K) and the modality performed procedure step (annex F).

worklist_poller      asks again and again; worklist: one C-FIND; step_changes: what changed in an order meanwhile
step_reporter        tells it what became of a step; procedure_step: N-CREATE, N-SET
"""
