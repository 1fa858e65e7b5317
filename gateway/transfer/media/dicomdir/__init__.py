"""The DICOMDIR (PS3.3 annex F, PS3.10 section 8): read without belief, extended in place, record by record.

elements, records_table    how data elements are encoded; which record a SOP class gets, and its keys
header                     one instance's file, as far as the directory needs it
structure                  any DICOMDIR, read without believing it
layout, directory, stores  ours: where its bytes go, and in which order
"""
