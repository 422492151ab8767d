"""Sends malformed requests to a server, and checks that it is not harmed.

`python -m scripts.hostile` generates malformed requests from a seed, each from its own number, and
sends them over raw sockets and httpx to a local server: broken framing, bodies, arrays, paths and
options. A failure prints the command that generates the same request again.

The test fails if an answer is a 5xx, except 504, which is right for a request that asks for more
than the server's time allows; if an answer, or the end of the connection, takes more than 10 s; if
the server does not release the memory; or if its answers differ afterwards.
"""
