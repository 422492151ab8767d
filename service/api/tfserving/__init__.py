"""The protocol under /v1, in TensorFlow Serving's REST form."""
