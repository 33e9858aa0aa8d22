"""Networks that paint textures."""
