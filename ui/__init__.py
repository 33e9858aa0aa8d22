"""Panels, preferences, settings, and the registration of everything Blender sees."""
