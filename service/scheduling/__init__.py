"""Whose passes run next: queue, dynamic batching, time slices, deadlines."""
