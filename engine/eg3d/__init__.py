"""EG3D: a generator of heads as volumes, pictures and meshes from it, and photos taken back into it.

Chan et al., "Efficient Geometry-aware 3D Generative Adversarial Networks", CVPR 2022, written anew from the papers and
the published file's layout. Space: the generator's own units, Y up, face towards +Z; see `camera` for metres.
"""
