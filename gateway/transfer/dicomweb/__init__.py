"""A destination that is reached by DICOMweb (PS3.18): store, and what makes sure that it was stored.

``line`` speaks HTTP/1.1, ``multipart`` and ``payload`` know its bodies, ``statuses`` is the table of what each answer
means, ``server`` holds one server's connection and what was learnt of it, ``storing``, ``commitment`` and ``verifying``
are the transactions. Redirects are told, not followed: a token and a patient's data go nowhere but where they should.
"""
