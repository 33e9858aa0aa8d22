"""The size of a head, which one photo does not show: a larger head farther away looks the same.

What the shape says about the size is too little to be of use: solved along with it, the size came out unrelated to the
true one and farther from it than the mean size is. So identity components change the shape only, and every face keeps
the mean face's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Growth:
    """How much each of K identity components enlarges the face.

    Attributes:
        rates: (K,) relative growth per unit of the coefficient.
        center: (3,) metres, what the head grows from: the face's centre.
    """

    rates: Array
    center: Array

    def basis(self, places: NDArray) -> Array:
        """(K,P,3) metres: what of each component's displacement of the places (P,3) is growth."""
        return self.rates[:, None, None] * (places - self.center)

    def of(self, identity: NDArray, places: NDArray) -> Array:
        """(P,3) metres: what of an identity's (K,) displacement of the places (P,3) is growth."""
        return float(self.rates @ identity) * (places - self.center)


def growth(head: HeadModel) -> Growth:
    """Growth of the model's identity components: their best similarity about the mean face, to first order."""
    face = head.regions["face"]
    place = head.vertices[face].astype(np.float64)
    center = place.mean(axis=0)
    place -= center
    return Growth(np.tensordot(head.identity_basis[:, face], place, 2) / np.sum(place**2), center)
