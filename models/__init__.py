"""Offline half: exporting Keras models, and the demo models. Needs TensorFlow."""

import os

# Read when TensorFlow and Keras are first imported, so they are set before any
# module of this package can do that: start-up log lines would bury our own
# output, and the exporter traces TensorFlow graphs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
