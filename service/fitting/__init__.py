"""Fits the calibration of a model to data."""
