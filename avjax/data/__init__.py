"""From files, or from a seed, to batches."""
