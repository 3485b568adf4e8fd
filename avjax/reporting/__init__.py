"""Finished runs as the paper's tables and figures, and as one page."""
