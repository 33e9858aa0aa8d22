"""Training of the engine's perception networks."""
