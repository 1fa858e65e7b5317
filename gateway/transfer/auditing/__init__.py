"""The audit trail, told to the hospital's repository.

syslog        one message as RFC 5424 and 5425 have it
reporter      the thread that follows the local file
"""
