"""Finding faces: landmarks and masks."""
