"""Texture models: what albedo a face can have. All look the same to a solver, see `model.TextureModel`."""
