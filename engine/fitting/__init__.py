"""Solving camera, pose, identity and expression from what was seen."""
