"""Load tests: how much the server takes, and whether it keeps that up.

    python -m scripts.load_test [sweep]         more and more clients; requests/s and latency
    python -m scripts.load_test soak            many clients for long; memory over time
    locust -f scripts/load_test/locustfile.py   locust's own page and options

Each answer is checked. A part of the requests has a seed, and the answer to those must be
what the library gives in this process, to the last bit, whatever else the server is doing.
"""
