"""Readers of public corpora, in the folder layouts of their releases."""
