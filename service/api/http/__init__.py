"""What both protocols share of HTTP: bodies, errors, keys, health."""
