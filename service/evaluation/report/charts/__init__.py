"""Charts as SVG, one kind a file. They know nothing of evaluations."""
