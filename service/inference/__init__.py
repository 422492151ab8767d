"""Inference: validate rows, run passes, reduce samples."""
