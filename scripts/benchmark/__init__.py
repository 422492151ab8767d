"""Times implementations of Monte Carlo dropout's mean and variance against each other."""

import os

# Otherwise TensorFlow logs its CPU features in the middle of the progress bar.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# PyTorch's threads would spin after each call, as those of ONNX Runtime: see `open_session`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
