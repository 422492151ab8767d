"""The model repository: models of a folder, their versions, loading, changes."""
