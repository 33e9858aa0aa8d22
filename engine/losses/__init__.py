"""What a fit or a network's training makes small: pure functions on tensors, a family a file.

Every loss takes a batch and gives one number for each of its pictures, (B,). Masks and weights that are empty give 0,
and pixels and points of zero weight may hold anything, NaN too. Where the papers leave open whether a sum or a mean is
meant, or mean a sum, the docstrings say what is done here: the weights in `regularise` belong to the papers' scales.
"""
