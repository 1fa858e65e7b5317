"""The conformance statement (PS3.2) and the IHE integration statement, written from the tables that the box runs by.

``document`` is what a statement is made of, ``markdown`` and ``printed`` write it down; each further file is a chapter.
"""
