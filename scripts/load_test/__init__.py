"""Load tests: the throughput of the server, and its stability over time.

    python -m scripts.load_test [sweep]         more and more clients; throughput and latency
    python -m scripts.load_test soak            many clients for a long time; memory over time
    locust -f scripts/load_test/locustfile.py   locust's own web page and options

Each answer is checked. Some requests have a seed; their answers must equal those of the library in
this process bit for bit, whatever else the server does.
"""
