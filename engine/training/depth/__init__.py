"""Training depth of faces on generated heads or on synthetic ones."""
