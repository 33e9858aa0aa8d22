"""Depth of a whole photo, hair, glasses and collar included, and a textured mesh of it in the head's own frame."""
