"""Blender operators, the client of the engine's process, and the builders that turn results into data-blocks."""
