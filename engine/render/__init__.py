"""Rasterising, lighting and shading. Importing the package itself imports neither torch nor anything heavy."""
