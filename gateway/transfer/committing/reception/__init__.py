"""Whoever calls the box: who may, what is agreed, what is answered, and what is said of it in the log.

admission      who gets in, by address, number and rate
negotiation    the answer to an association request
call           one caller, from the connection to its end: bytes and the time in, bytes out
wording        one line about each call, and not the same line a thousand times

All of it is pure; :mod:`gateway.transfer.committing.listener` owns the sockets. It takes storage commitment reports and
answers C-ECHO. It knows neither a ledger nor any DICOM library.
"""
