"""Section 2 of the paper, in its order: encoder, alignment, perception, heads,
and the four classifiers of Table 1."""
