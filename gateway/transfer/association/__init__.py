"""One DICOM association from the requestor's side (PS3.7, PS3.8), in Python's standard library alone.

pdu, reader    protocol data units to bytes, and bytes to them
machine        the state table: what may happen when
dimse          messages on top of it
connection     the TCP connection under it

It knows no peers, no outcomes and no services; :mod:`gateway.transfer.calling.requestor` joins it with them.
"""
