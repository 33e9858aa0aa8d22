"""Reading pictures (and, later, clips) from disk into upright sRGB arrays."""
