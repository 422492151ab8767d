"""How many passes stopping rules need on the demo models, and what their answers are worth."""
