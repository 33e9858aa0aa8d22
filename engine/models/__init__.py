"""Model files: which there are, what they are for, whose they are, and where they are looked for."""
