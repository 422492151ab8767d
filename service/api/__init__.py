"""HTTP: decode a request, ask the data plane, encode the answer."""
