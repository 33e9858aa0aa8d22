"""Training of the bundled texture generator."""
