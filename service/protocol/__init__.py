"""What client and server share: element types, bytes of tensors, predictions, names of options.

Needs numpy alone, so that the client runs where the server is not installed.
"""
