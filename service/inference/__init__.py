"""A model that answers: rows in, passes, samples summarised."""
