"""C-STORE of files, straight from the disk (PS3.4 annex B).

store                a batch of instances to a peer; each gets an outcome
associations         several beside each other
sending              one association, with as many requests open as the peer grants
instance_file        one file as P-DATA, block by block; hashing: compared with what was written meanwhile
fallback             what a peer refuses in its own transfer syntax, in one that it takes
journal              one line for each association
"""
