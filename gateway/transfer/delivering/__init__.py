"""One destination, from the ledger's queue to its word that it has taken responsibility.

courier              the worker: sends what is due; asking: asks for what was stored, and lingering: how long it waits
duty                 what both work with; pace: how much of the queue is a batch
transports           DICOM's own associations or DICOMweb; the courier sees the same of both
shift, allowed_times when it works, and who stands in for it
caution              how a peer is approached that broke before
"""
