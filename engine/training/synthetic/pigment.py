"""Skin colour as pigments: optical density, melanin and haemoglobin, and the tones that people have.

The density of a surface is the negative natural logarithm of its linear albedo. In it pigments add up: Tsumura,
Haneishi and Miyake, "Independent-component analysis of skin color image", JOSA A 16(9), 1999; Tsumura et al.,
"Image-based skin color and texture analysis/synthesis by extracting hemoglobin and melanin information in the skin",
SIGGRAPH 2003.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MELANIN = (0.447, 0.596, 0.667)
"""Unit direction in density (R, G, B) from light to dark people: the Monk scale's second to eighth swatch."""
HAEMOGLOBIN = (0.19, 0.79, 0.58)
"""Unit direction of blood: it takes green most, red least."""
SHADE = (0.577, 0.577, 0.577)
"""Unit direction of what darkens all channels alike."""
PIGMENTS = np.array([MELANIN, HAEMOGLOBIN, SHADE], np.float32).T
"""(3,3): density (R, G, B) = PIGMENTS @ (melanin, haemoglobin, shade)."""
TONES = np.array(
    [
        (75, 8.5, 13.0), (69, 11.0, 15.5), (63, 12.5, 17.5), (56, 13.5, 19.0), (49, 13.5, 18.5),
        (42, 12.5, 16.5), (35, 11.0, 14.0), (28.5, 9.5, 11.5), (23, 8.0, 8.5),
    ],
    np.float32,
)  # fmt: skip
"""CIELAB (D65) of bare skin from the lightest to the darkest people: redness and yellowness peak between them."""
FLOOR = 0.004
"""Least linear albedo."""

_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _XYZ.sum(1)


def density(linear: NDArray) -> NDArray[np.float32]:
    """Optical density of linear albedo, any shape."""
    return -np.log(np.maximum(linear, FLOOR)).astype(np.float32)


def linear_to_lab(linear: NDArray) -> NDArray[np.float64]:
    """CIELAB (...,3) of linear sRGB (...,3), white D65."""
    ratio = np.asarray(linear, np.float64) @ _XYZ.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    return np.stack(lab, -1).astype(np.float64)


def lab_to_linear(lab: NDArray) -> NDArray[np.float64]:
    """Linear sRGB (...,3) of CIELAB (...,3); may leave 0..1."""
    lab = np.asarray(lab, np.float64)
    middle = (lab[..., 0] + 16) / 116
    f = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], -1)
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return (ratio * _WHITE) @ np.linalg.inv(_XYZ).T


def typology_angle(linear: NDArray) -> NDArray[np.float64]:
    """Individual typology angle (...) in degrees: above 55 very light, 41 light, 28 intermediate, 10 tan, -30 brown.

    Chardon, Cretois and Hourseau, "Skin colour typology and suntanning pathways", Int. J. Cosmetic Science 13, 1991.
    """
    lab = linear_to_lab(linear)
    return np.degrees(np.arctan2(lab[..., 0] - 50, lab[..., 2]))


def tone(place: float, redder: float = 0.0, yellower: float = 0.0) -> NDArray[np.float64]:
    """(3,) linear albedo of a complexion.

    Args:
        place: 0 the lightest .. 1 the darkest people.
        redder, yellower: added to CIELAB's a* and b*.
    """
    at = place * (len(TONES) - 1)
    lab = np.array([np.interp(at, np.arange(len(TONES)), channel) for channel in TONES.T])
    return np.clip(lab_to_linear(lab + np.array([0, redder, yellower])), FLOOR, 1)
