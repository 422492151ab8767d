"""The offline half: exporting Keras models, and the demo models. Requires TensorFlow."""

import os

# TensorFlow and Keras read these at their first import. Without them, start-up log lines
# would hide the exporter's own output, and Keras might use another backend than TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
