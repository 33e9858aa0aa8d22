"""Parametric head models in one layout."""
