"""A peer, and one association with it as the caller sees it.

peers                whom to call, as whom, and how
connecting, tls      the connection, plain or under TLS; tls_failures: what went wrong with it, in words
requestor            the established association: send messages, wait for answers
outcomes             what follows from each answer: done, warned, retry, hold
echo, syntaxes       does it answer, and what does it take
throttle             the bandwidth cap that everything sent to a peer shares
"""
