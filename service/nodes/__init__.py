"""ONNX graphs, node by node: what the exporter and the server both build and read them with.

An artifact is made by one half and read by the other. What has to be the same in both is
here: how nodes are built and named, the input `training`, a dropout that stays active, which
operators draw, and which values a draw reaches.
"""
