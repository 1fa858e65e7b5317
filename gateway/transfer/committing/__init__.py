"""Storage commitment (PS3.4 annex J): asked for, reported, and taken down before it is acknowledged.

commitment           N-ACTION: a peer is asked to answer for instances
event_report         the peer's N-EVENT-REPORT, on whichever association it comes
reports              what a report means for the ledger
listener, reception  where peers call back, within limits
"""
