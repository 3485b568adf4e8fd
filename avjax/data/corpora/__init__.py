"""Public corpora, read from the folders in which they are handed out."""
