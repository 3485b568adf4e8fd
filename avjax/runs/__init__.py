"""One experiment: data, audit, folds and seeds, a model fitted, its folder."""
