"""What a reader asks, one question a file: its answer in sentences, and the figures behind it."""
