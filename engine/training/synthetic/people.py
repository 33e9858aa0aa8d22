"""Draws synthetic people and their pictures: one number gives one picture, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...heads.model import HeadModel
from .acting import random_expression, random_identity
from .background import random_background
from .camera import random_camera, towards_camera
from .hair import beard_colour
from .light import random_light
from .scene import Prop, Scene
from .skin import compose
from .skin_recipe import SkinRecipe, draw_recipe
from .wardrobe import Wardrobe
from .wearables import tucked

WORN = {"hair": 0.9, "beard": 0.2, "glasses": 0.25, "hat": 0.08, "collar": 0.88, "occluder": 0.1}
"""How often."""
PERSON = 1
"""Keeps the numbers drawn for people apart from those drawn for pictures."""


@dataclass(frozen=True)
class Shot:
    """A scene but for its skin, which is composed for many scenes at once."""

    scene: Scene
    recipe: SkinRecipe


def draw_scenes(
    seeds: Sequence[int],
    head: HeadModel,
    wardrobe: Wardrobe,
    size: int = 256,
    held_out: bool = False,
    people: Sequence[int] | None = None,
) -> list[Scene]:
    """One scene for each seed.

    Args:
        wardrobe: its skins lie on the device on which they are composed.
        size: of the square pictures, pixels.
        held_out: from the skins, hair styles and things to wear that are kept for measuring; else from the others.
        people: who each scene shows, a number for each person; None shows somebody else every time.
    """
    who = [None] * len(seeds) if people is None else people
    shots = [draw_shot(s, head, wardrobe, size, held_out, person) for s, person in zip(seeds, who, strict=True)]
    albedo, classes = compose(wardrobe.skins, [shot.recipe for shot in shots])
    return [replace(s.scene, albedo=a, classes=c) for s, a, c in zip(shots, albedo, classes, strict=True)]


def draw_shot(
    seed: int, head: HeadModel, wardrobe: Wardrobe, size: int, held_out: bool, person: int | None = None
) -> Shot:
    """Everything of one scene. A person's number settles identity, skin and what is worn, the seed all the rest."""
    rng = np.random.default_rng((seed, int(held_out)))
    who = rng if person is None else np.random.default_rng((person, int(held_out), PERSON))
    identity = random_identity(head, who)
    expression = random_expression(head.expression_names, rng)
    posed = head.shape(identity, expression)
    face = posed[head.regions["face"]]
    camera, angles = random_camera(face, size, rng)
    outfit = dress(wardrobe, held_out, who)
    recipe = draw_recipe(who, wardrobe.skins, wardrobe.skin_names(held_out), covered=bool(outfit["hair"]))
    outfit["hair"] = tuple(_dyed(prop, recipe.hair_colour) for prop in outfit["hair"])
    outfit["beard"] = tuple(_dyed(prop, beard_colour(recipe.hair_colour, who)) for prop in outfit["beard"])
    skin = float(np.exp(-recipe.complexion.tone).mean())
    illumination, lamps = random_light(rng, towards_camera(camera, face), skin)
    props = tuple(prop.placed(head.vertices, posed) for props in outfit.values() for prop in props)
    names = recipe.names | {kind: props[0].name for kind, props in outfit.items() if props}
    scene = Scene(
        vertices=posed,
        albedo=None,
        classes=None,
        props=props,
        illumination=illumination,
        lamps=tuple(lamps),
        background=random_background(size, rng),
        camera=camera,
        lashes=float(rng.uniform(0.2, 0.95)),
        identity=identity,
        expression=expression,
        angles=angles,
        names=names,
    )
    return Shot(scene, recipe)


def dress(wardrobe: Wardrobe, held_out: bool, rng: np.random.Generator) -> dict[str, tuple[Prop, ...]]:
    """Hair, still grey, and what is worn, by kind."""
    outfit: dict[str, tuple[Prop, ...]] = {}
    for kind, often in WORN.items():
        choices = wardrobe.choices(kind, held_out)
        worn = rng.random() < often and len(choices) > 0
        outfit[kind] = choices[rng.integers(len(choices))] if worn else ()
    for worn in outfit["hat"]:
        outfit["hair"] = tuple(left for prop in outfit["hair"] if (left := tucked(prop, worn)) is not None)
    return outfit


def _dyed(prop: Prop, colour: NDArray) -> Prop:
    return replace(prop, colour=np.minimum(prop.colour * np.asarray(colour, np.float32), 0.95))
