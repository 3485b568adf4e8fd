"""The audio features: Yaafe's, with its defaults at 16 kHz (Section 3.3).

framing        short frames of 1024 samples every 512, and long frames
filters        filters and bands, from their formulas
statistics, spectral, bands, perceptual, temporal, envelope, linear_prediction
               features as functions of arrays
block          intermediate results that several features share
feature_table  all features by name, and the presets
yaafe          from a waveform to features and columns
"""

from avjax.features.audio.feature_table import FEATURES, PRESETS, width
from avjax.features.audio.yaafe import columns, extract

__all__ = ['FEATURES', 'PRESETS', 'columns', 'extract', 'width']
