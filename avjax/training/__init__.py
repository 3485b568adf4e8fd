"""Section 4.1: optimiser, steps, selection, checkpoints and the loop."""
