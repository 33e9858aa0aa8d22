"""The shapes of the project's own perception networks. Their weights lie beside, in files; all of it needs torch."""
