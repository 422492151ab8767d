"""The data plane, which all protocols share: from a decoded request to its answer."""
