"""Training a network: optimiser, steps, loop, checkpoints (Section 4.1)."""
