"""Section 3: from a raw clip to feature streams."""
