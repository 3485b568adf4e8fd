"""The paper's published results, for comparison with runs."""

TABLE_1 = {
  'average_pool5': (73.84, 43.14, 39.89),
  'last_time': (82.70, 36.39, 41.19),
  'average': (83.83, 43.40, 41.19),
  'proposed': (58.23, 46.90, 44.90),
}
"""Table 1: accuracy on AFEW in %, on training, validation and test."""
CLIPS = {'training': 711, 'validation': 371, 'test': 539}
"""Number of clips in the paper's splits, inferred from its percentages."""
LARGEST = '29.5 (159)'
"""Most frequent class of the paper's test clips, in % (and clips)."""
IN_WORDS = {'decision_fusion': 'the stronger alternative, in words (4.3)'}
"""What the paper states about other models, without a number."""
SHARED_ENCODER = 'worse, in words (2.3)'
"""What the paper states about a shared encoder, h_sel = h_av."""
