"""Puts skins together from a bank, by recipe: whole batches, on any device."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .pigment import FLOOR, MELANIN
from .scene import REGIONS
from .skin_bank import COLLAR_LIMIT, FINE_STEPS, SkinBank
from .skin_eyes import IRIS_DISC, RINGS
from .skin_fields import SHARP, SOFT
from .skin_recipe import CHANNELS, SkinRecipe

MARK_REACH = 7 / 512
"""Share of the texture around a mole that it may cover."""
EDGE = 0.12
"""Softness of the borders of beard and hairline, centimetres."""
LID_SHADE = 0.3
"""Share of the light that the lids keep off the eyeball above, and in the corners."""
ENAMEL = 0.3
"""What is less red than this is tooth, not gum."""
PATCHY = 1.5
"""How much a ragged hairline means a patchy beard, per centimetre."""
HAIR_GRAIN = 0.3
"""How much single hairs of beard and scalp stand out."""
BROW_SEEN = 0.25
"""Brows of less cover are not labelled."""


@torch.no_grad()
def compose(bank: SkinBank, recipes: list[SkinRecipe]) -> tuple[Tensor, Tensor]:
    """The textures of skins.

    Args:
        bank: on the device that does the work.
        recipes: of B skins, see `skin_recipe.draw_recipe`.
    Returns:
        (B,S,S,3) float16 linear albedo, row 0 is v = 1, and (B,S,S) uint8 labels, see `REGIONS`. Both are padded.
    """
    numbers = _collate(recipes, bank.rest.device)
    albedo = bank.parts.repeat(len(recipes), 1, 1, 1)
    classes = bank.classes.repeat(len(recipes), 1, 1)
    skin, beard, scalp = _skin(bank, numbers.complexion, numbers.hair)
    _paint(bank, skin, numbers.makeup, numbers.complexion)
    hairy = _hair(bank, skin, beard, scalp, numbers.hair)
    _brows(bank, skin, classes, numbers.hair)
    upper = classes[:, : bank.rows]
    plain = (upper != REGIONS.index("lip")) & (upper != REGIONS.index("ear"))
    upper[hairy & plain] = REGIONS.index("hair")
    colours = skin.neg_().exp_().clamp_(FLOOR, 1.0)
    cloth = _clothes(bank, colours, numbers.rest)
    upper[:, bank.bust :][cloth] = REGIONS.index("clothes")
    albedo[:, : bank.rows] = colours.permute(0, 2, 3, 1)
    _mouth(bank, albedo, numbers.rest)
    _eyes(bank, albedo, numbers.eyes)
    return albedo.half(), classes


def _collate(items: list[Any], device: torch.device) -> SimpleNamespace:
    """The recipes' numbers, stacked: each field a tensor (B,...)."""
    found = {}
    for field in fields(items[0]):
        values = [getattr(item, field.name) for item in items]
        if is_dataclass(values[0]):
            found[field.name] = _collate(values, device)
        elif not isinstance(values[0], dict):
            stacked = np.asarray(values)
            kind = np.int64 if stacked.dtype.kind == "i" else np.float32
            found[field.name] = torch.from_numpy(stacked.astype(kind)).to(device)
    return SimpleNamespace(**found)


def _skin(bank: SkinBank, look: Any, hair: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Density (B,3,R,S), and cover 0..1 of beard and scalp (B,R,S)."""
    soft = torch.einsum("bcf,fp->bcp", look.fields, bank.soft.flatten(1)).view(-1, CHANNELS, *bank.soft.shape[1:])
    broad = torch.einsum("bk,bkcrs->bcrs", look.broad, bank.broad[look.skins])
    soft[:, :3] += broad + look.tone[:, :, None, None]
    line = torch.sigmoid((bank.soft[SOFT.index("beardline")] + _wide(hair.beard_shift)) / EDGE)
    beard = (soft[:, 3] * (1 + PATCHY * soft[:, 4])).clamp(0, 1) * line
    soft[:, :3] += beard[:, None] * hair.beard_shadow[:, :, None, None]
    scalp = torch.sigmoid((bank.soft[SOFT.index("hairline")] + _wide(hair.scalp_shift) + soft[:, 4]) / EDGE)
    soft[:, 3], soft[:, 4] = beard * _wide(hair.beard_cover), scalp * _wide(hair.scalp_cover)
    whole = torch.nn.functional.interpolate(soft, scale_factor=2, mode="bilinear", align_corners=False)
    skin = whole[:, :3].contiguous()
    fine = _sharp(bank, "pores").sub(0.5).mul(_wide(look.pores))
    for k in range(look.skins.shape[1]):
        fine += bank.fine[look.skins[:, k]] * _wide(look.fine[:, k] / FINE_STEPS)
    skin += fine[:, None]
    _freckles(bank, skin, whole[:, 5], look)
    _marks(bank, skin, look)
    return skin, whole[:, 3], whole[:, 4]


def _wide(values: Tensor) -> Tensor:
    """(B,) as (B,1,1)."""
    return values[:, None, None]


def _sharp(bank: SkinBank, name: str) -> Tensor:
    """(R,S) mask, 0..1."""
    return bank.sharp[SHARP.index(name)]


def _freckles(bank: SkinBank, skin: Tensor, place: Tensor, look: Any) -> None:
    """Freckles where `place` (B,R,S) lets them be."""
    if not bool((look.freckles > 0).any()):
        return
    total = torch.zeros_like(place)
    for k in range(3):
        spots = _sharp(bank, f"freckles_{k}") - _wide(look.freckle_floor)
        total += spots.clamp_min_(0) * _wide(look.freckles[:, k])
    total *= place.clamp(0, 1)
    skin += total[:, None] * torch.tensor(MELANIN, device=skin.device)[:, None, None]


def _marks(bank: SkinBank, skin: Tensor, look: Any) -> None:
    """Moles and blemishes: round in space, wherever they lie in the UV."""
    most = round(MARK_REACH * bank.size)
    reach = torch.arange(-most, most + 1, device=skin.device)
    centre = bank.surface.long()[look.marks]  # (B,M,2)
    height, width = skin.shape[2:]
    row = (centre[..., 0, None, None] + reach[:, None]).clamp(0, height - 1)
    column = (centre[..., 1, None, None] + reach).clamp(0, width - 1)
    places = bank.rest[:, row, column]  # (3,B,M,n,n)
    middle = bank.rest[:, centre[..., 0], centre[..., 1]][..., None, None]
    apart = ((places - middle) ** 2).sum(0)
    shape = torch.exp(-((apart / (look.mark_radius[..., None, None] ** 2)) ** 1.5))
    batch = torch.arange(len(skin), device=skin.device)[:, None, None, None]
    at = ((batch * height + row) * width + column).flatten()
    for channel in range(3):
        layer = torch.zeros(len(skin) * height * width, device=skin.device)
        layer.index_add_(0, at, (shape * look.mark_density[..., channel, None, None]).flatten())
        skin[:, channel] += layer.view(len(skin), height, width)


def _mix(skin: Tensor, cover: Tensor, colour: Tensor) -> None:
    """Lay a density (B,3) over a skin (B,3,R,S) where the cover (B,R,S) says."""
    skin += cover[:, None] * (colour[:, :, None, None] - skin)


def _paint(bank: SkinBank, skin: Tensor, makeup: Any, look: Any) -> None:
    """Lips, lipstick, eye shadow and eyeliner."""
    skin += _sharp(bank, "lips") * look.lips[:, :, None, None]
    for mask, colour, cover in (
        ("lips", makeup.lipstick, makeup.lipstick_cover),
        ("shadow", makeup.shadow, makeup.shadow_cover),
        ("liner", makeup.liner, makeup.liner_cover),
    ):
        if bool((cover > 0).any()):
            _mix(skin, _sharp(bank, mask) * _wide(cover), colour)


def _hair(bank: SkinBank, skin: Tensor, beard: Tensor, scalp: Tensor, hair: Any) -> Tensor:
    """Lay beard and cropped hair over the skin; (B,R,S) where there is more hair than skin."""
    grain = _sharp(bank, "grain")
    for cover, colour in ((beard, hair.beard_density), (scalp, hair.scalp_density)):
        if bool((cover > 0.02).any()):
            single = ((cover - grain) * 3 + 0.5).clamp_(0, 1) * (4 * cover).clamp(0, 1)
            _mix(skin, cover + HAIR_GRAIN * (single - cover), colour)
    return (beard > 0.5) | (scalp > 0.5)


def _brows(bank: SkinBank, skin: Tensor, classes: Tensor, hair: Any) -> None:
    """Draw the brows and label them."""
    height, width = bank.brows.shape[2:]
    for side, (row, column) in enumerate(bank.brow_windows.tolist()):
        cover = bank.brows[hair.brow, side].float() / 255 * _wide(hair.brow_cover)
        window = (slice(None), slice(row, row + height), slice(column, column + width))
        _mix(skin[:, :, *window[1:]], cover, hair.brow_density)
        seen = bank.brow_labels[hair.brow, side] & (_wide(hair.brow_cover) > BROW_SEEN)
        classes[window][seen] = REGIONS.index("brow")


def _clothes(bank: SkinBank, colours: Tensor, rest: Any) -> Tensor:
    """Lay clothes over the bust of linear colours (B,3,R,S); True where they are, from the bank's row `bust` on."""
    first = bank.bust
    x, y, _ = bank.rest[:, first:]
    soft = bank.reach[first:] + 0.001
    edge = _wide(rest.collar) + _wide(rest.slope) * x.abs() - _wide(rest.vee) * (1 - x.abs() / 0.06).clamp(0, 1)
    below = edge - y
    cover = (below / soft + 0.5).clamp_(0, 1) * (y < COLLAR_LIMIT)
    hem = 1 - 0.35 * torch.exp(-(((below - 0.005) / (soft + 0.001)) ** 2))
    period = _wide(rest.stripe_period)
    stripes = torch.sin(2 * torch.pi * y / period.clamp_min(1e-3)) * period / (period + 8 * soft)
    stripes = (stripes * 4 + 0.5).clamp_(0, 1) * (period > 0)
    cloth = rest.clothes[:, :, None, None] + stripes[:, None] * (rest.stripes - rest.clothes)[:, :, None, None]
    part = colours[:, :, first:]
    part += cover[:, None] * (cloth * hem[:, None] - part)
    return cover > 0.5


def _mouth(bank: SkinBank, albedo: Tensor, rest: Any) -> None:
    """Shade enamel and gums."""
    own = bank.parts[bank.rows :]
    redness = (own[..., :1] - own[..., 1:2]) / own[..., :1].clamp_min(FLOOR)
    enamel = ((ENAMEL - redness) * 8 + 0.5).clamp(0, 1)
    factor = enamel * rest.teeth[:, None, None] + (1 - enamel) * rest.mouth[:, None, None]
    inside = (bank.classes[bank.rows :] == REGIONS.index("inner_mouth"))[..., None]
    albedo[:, bank.rows :] = torch.where(inside, own * factor, own).clamp(FLOOR, 1)


def _eyes(bank: SkinBank, albedo: Tensor, eyes: Any) -> None:
    """Paint both eyeballs: the same iris, mirrored."""
    radius = torch.linalg.vector_norm(bank.disc, dim=-1) / IRIS_DISC
    turn = torch.atan2(bank.disc[..., 1], bank.disc[..., 0]) / (2 * torch.pi)
    pupil = _wide(eyes.pupil)
    ring = ((radius - pupil) / (1 - pupil)).clamp(0, 1)
    pattern = _unrolled(bank, eyes, ring, turn) * _wide(eyes.contrast)
    colour = eyes.inner[:, None, None] + ring[..., None] * (eyes.outer - eyes.inner)[:, None, None]
    rim = _wide(eyes.limbal) * ((ring - 0.72) / 0.28).clamp(0, 1) ** 2
    iris = colour * (torch.exp(pattern) * (1 - 0.75 * rim))[..., None]
    iris = iris * ((radius - pupil) * 14 + 0.5).clamp(0, 1)[..., None] + 0.003
    veins = 1 - _wide(eyes.veins)[..., None] * (bank.veins.float() / 255)[..., None] * torch.tensor(
        [0.15, 0.75, 0.7], device=albedo.device
    )
    corner = ((bank.disc[..., 0].abs() - 0.6) / 0.3).clamp(0, 1)[..., None] * 0.5
    pink = torch.tensor([0.46, 0.22, 0.19], device=albedo.device)
    white = eyes.white[:, None, None] * veins
    white = white + corner * (pink - white)
    share = ((radius - 0.97) / 0.07).clamp(0, 1)[..., None]
    above = ((bank.disc[..., 1:] - 0.1) / 0.5).clamp(0, 1)
    beside = ((bank.disc[..., :1].abs() - 0.5) / 0.4).clamp(0, 1)
    ball = (iris + share * (white - iris)) * (1 - LID_SHADE * (above + beside))
    side = ball.shape[1]
    inside = (torch.linalg.vector_norm(bank.disc, dim=-1) < 1.02)[..., None]
    for number, (row, column) in enumerate(bank.eye_windows.tolist()):
        painted = ball if number == 0 else ball.flip(2)
        window = albedo[:, row : row + side, column : column + side]
        window.copy_(torch.where(inside, painted, window))


def _unrolled(bank: SkinBank, eyes: Any, ring: Tensor, turn: Tensor) -> Tensor:
    """(B,E,E) of the chosen iris patterns."""
    pattern = bank.iris[eyes.iris]
    pattern = torch.cat([pattern[:, :, -1:], pattern, pattern[:, :, :1]], 2)[:, None]  # goes round
    turns = pattern.shape[3] - 2
    x = ((turn + _wide(eyes.turn)) % 1.0 * turns + 1.5) / (turns + 2) * 2 - 1
    y = (ring * (RINGS - 1) + 0.5) / RINGS * 2 - 1
    grid = torch.stack([x.expand_as(y), y], -1)
    return torch.nn.functional.grid_sample(pattern, grid, mode="bilinear", align_corners=False)[:, 0]
