"""Synthetic raw clips with known ground truth: a voice and a drawn face."""
