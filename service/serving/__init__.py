"""The data plane: what all protocols share on the way from a request to its answer."""
