"""The calibration of a model: a document beside its file, fitted to data that trained nothing."""
