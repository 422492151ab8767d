"""Ways to the mean and variance of Monte Carlo dropout, timed against each other."""

import os

# TensorFlow tells of its CPU features otherwise, in the middle of the progress.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# PyTorch's threads spin after each call, as ONNX Runtime's do: see `open_session`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
