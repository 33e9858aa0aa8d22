"""Making training pictures and training the engine's own networks. Nothing in the engine imports this package."""
