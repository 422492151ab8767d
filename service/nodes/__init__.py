"""Tools for building and reading ONNX graphs, shared by the exporter and the server.

One half writes an artifact and the other reads it. This package contains what has to agree: how
nodes are built and named, the input `training`, a dropout that stays active, the operators that
draw, and the values that a draw reaches.
"""
