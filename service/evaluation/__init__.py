"""How far the uncertainty of a model can be trusted: its predictions compared with targets."""
