"""The models of a folder: versions, loading, changes."""
