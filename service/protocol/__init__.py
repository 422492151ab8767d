"""What client and server share: datatypes, binary tensors, predictions, options.

Needs NumPy only, so that the client runs without the server's packages.
"""
