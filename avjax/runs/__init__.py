"""Experiments: data, audit, folds and seeds, a fitted model, a run folder."""
