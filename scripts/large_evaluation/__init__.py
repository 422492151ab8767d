"""How much time and memory the evaluation of many rows takes: `make large-evaluation`."""
