"""The parts a picture of a person is divided into."""

from __future__ import annotations

REGIONS = (
    "background",
    "skin",
    "brow",
    "eye",
    "lip",
    "inner_mouth",
    "hair",
    "ear",
    "neck",
    "glasses",
    "clothes",
    "other",
)
"""Classes of a region mask; the index is the label. "hair" has beards; "other" is hats, hands and what else hides."""

GROUPS = {
    "person": REGIONS[1:],
    "skin": ("skin", "brow", "lip", "ear", "neck"),
    "hair": ("hair",),
    "eyes": ("eye",),
    "inner_mouth": ("inner_mouth",),
    "face": ("skin", "brow", "eye", "lip", "inner_mouth"),
}
"""Merged classes. All but "face" are named and meant as the fields of `observation.Masks`, with one difference: hair
there is without beards."""


def members(group: str) -> list[int]:
    """The labels that a group of `GROUPS` merges."""
    return [REGIONS.index(name) for name in GROUPS[group]]
