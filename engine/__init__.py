"""Likeness reconstruction engine: plain Python, never imports bpy.

Data flows one way: media -> perception -> fitting -> texture -> result. Space is metric, right-handed,
Y up, face towards +Z; cameras are OpenCV (x right, y down, z forward).
"""

__version__ = "0.1.0"
