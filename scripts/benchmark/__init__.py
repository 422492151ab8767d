"""Ways to the mean and variance of Monte Carlo dropout, timed against each other."""

import os

# TensorFlow tells of its CPU features otherwise, in the middle of the progress.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
