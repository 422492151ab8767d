"""The process: settings, listening, signals, logs."""
