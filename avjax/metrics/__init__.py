"""Sections 4.2 and 4.3: statistics of the results, and attention scored."""
