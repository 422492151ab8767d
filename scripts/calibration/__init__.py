"""Measures what calibrations of the demo models promise, on data that chose nothing."""
