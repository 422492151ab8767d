"""The server process: settings, listening, signals, logs."""
