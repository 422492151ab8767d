"""Sends malformed requests to a server, and checks that it is not harmed.

`python -m scripts.hostile` makes malformed requests from a seed, each from its own number, and
sends them over raw sockets and httpx to a server of its own: broken framing, bodies, arrays,
paths and options. A failure prints the command that makes the same request again.

It fails where an answer is a 5xx, but for 504, which a request earns that asks for more than the
server's time allows; where an answer, or the connection's end, takes more than 10 s; where the
server does not give the memory back; or where it does not answer afterwards as it did before.
"""
