"""One skin from several photos of a person: common colours, then each place from the photo that shows it best.

A photo's skin without light is split in two bands: colours averaged around the mesh's vertices, which vary over a
centimetre, and what is left at every texel. The coarse band is averaged over all photos that see a place, so that what
each photo's light left behind evens out and no seam shows. The fine band is taken from the best photo, over a narrow
change to the next: averaged, it would blur wherever the fits differ by a pore (Burt and Adelson, "A
multiresolution spline with application to image mosaics", 1983; Baumberg, "Blending images for texturing 3D models",
2002, section 3).
Both bands are logarithms, in which light that is left over adds up.

A feature (a brow, the lips) comes from one photo as a whole, and before that every photo is moved onto the first along
the surface ("Floating Textures", Eisemann et al. 2008, section 4): a second brow beside the first would be worse than
any seam.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .build import Canvas, judged
from .complete import FLOOR, soften, sparse, to_vertices
from .delight import averaged
from .harmonic import extend
from .project import Projection, smoothstep
from .register import carried, detail, displacement
from .surface import surface_edges

CHOOSINESS = 8
"""Power of the weights in the fine band: twice as good counts 256 times as much."""
FIRST_BONUS = 1.25
"""How much better another photo must show a place than the first to be taken for it."""
COARSE_ROUNDS, CHANGE_ROUNDS = 2, 4
"""Rounds of averaging over the mesh's neighbours: of the coarse band, and of its weights."""
HAIR_SHARE = 0.3
"""Weight of the first photo's hair against skin on a head that is to be bald: where another photo shows the skin under
it, that is taken. Others' hair never is: it lay otherwise, and shone otherwise."""
FEATURES = ("lips", "nose", "brow.L", "brow.R", "eyelid.L", "eyelid.R")
"""What is taken from one photo as a whole."""
COMMON = 0.3
"""Least weight of a vertex in both for their colours to be compared."""
LEAST_COMMON = 30
"""Vertices; with fewer in common, photos are brought to one mean colour of skin."""
MOST_GAIN = 4.0
STRANGE, STRANGE_SHARE = 0.22, 0.12
"""Difference to the skin around, in logarithms of brightness, and the share of a gap that may have it."""
BORDERS = (0.006, 0.012)
"""How far the first photo's and the others' trust is drawn in from its borders, in sides of the square."""
FINE_FROM = (0.02, 0.35)
"""Trust between which a photo's fine band fades in."""
HAIR_MARGIN = 0.006
"""Around the first photo's hair, in sides of the square: the hairline stays its own."""
GAP_WIDTH, GAP_MARGIN = 0.06, 0.0025
"""Widest such gap, and what is left out around it, in sides of the square."""
SQUARELY = (0.25, 0.5)
"""Cosines of the view angle between which a photo's detail counts: seen more flatly, it is drawn out into streaks."""
MILLIMETRES = 315.0
"""On the face, of the texture's side."""
TINY = 1e-12
"""Weight of masks where nothing is trusted: what is seen at a grazing angle still tells hair from skin."""


@dataclass
class Sums:
    """What is kept of the photos.

    Attributes:
        fine: (N,3) weighted sum of the fine band; fine_weight: (N,).
        masks: (N,3) weighted sum of skin, hair and bare; mask_weight: (N,).
        seen, visible, facing: (N,) the most of any photo.
        coarse: (V,3) weighted sum of the coarse band; coarse_weight: (V,).
        known: (V,) the most trust of any photo.
        hair: (N,) 0..1, where the first photo has hair, see `hair_and_around`. skin_color: (3,) its skin's mean.
        shown: (s,s,2) what later photos are moved onto, see `register.detail`.
    """

    fine: NDArray[np.float32]
    fine_weight: NDArray[np.float32]
    masks: NDArray[np.float32]
    mask_weight: NDArray[np.float32]
    seen: NDArray[np.float32]
    visible: NDArray[np.float32]
    facing: NDArray[np.float32]
    coarse: NDArray[np.float64]
    coarse_weight: NDArray[np.float64]
    known: NDArray[np.float64]
    hair: NDArray[np.float32]
    skin_color: NDArray[np.float32]
    shown: NDArray[np.float32] | None = None

    @staticmethod
    def none(canvas: Canvas, first: Projection, skin_color: NDArray[np.float32]) -> Sums:
        """Before the first photo is added."""
        count, vertices = len(canvas.surface.texels), len(canvas.head.vertices)

        def flat(*channels: int) -> NDArray[np.float32]:
            return np.zeros((count, *channels), np.float32)

        return Sums(
            flat(3), flat(), flat(3), flat(), flat(), flat(), flat() - 1, np.zeros((vertices, 3)), np.zeros(vertices),
            np.zeros(vertices), hair_and_around(canvas, first), skin_color,
        )  # fmt: skip


@dataclass
class Fusion:
    """Adds up photos one by one; nothing of theirs is kept but sums over the texels.

    Attributes:
        bald: the head is to be without hair.
        gains: (3,) of each photo added, by which its linear RGB was multiplied.
        moved: millimetres on the surface by which each photo was moved onto the first, mean where both are seen.
    """

    canvas: Canvas
    bald: bool = False
    gains: list[NDArray[np.float64]] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    _sums: Sums | None = None

    def add(self, seen: Projection, quality: float = 1.0) -> None:
        """Take in a photo. The first is the one that others are matched to in colour and place.

        Args:
            seen: a photo, its colour without light.
            quality: how sharp it is, 1 for the sharpest.
        """
        canvas = self.canvas
        skin_color, like_skin, _ = judged(canvas, seen)
        first = self._sums is None
        trust = self._trust(seen, like_skin, first)
        if first:
            self._sums = Sums.none(canvas, seen, skin_color)
            self.moved.append(0.0)
        else:
            seen, trust, moved = self._onto_first(seen, trust)
            self.moved.append(moved)
            if not self.bald:
                trust = trust * (1 - self.sums.hair)
                seen = replace(seen, visible=seen.visible * (1 - self.sums.hair))
        coarse, known = coarse_band(canvas, seen.color, trust)
        gain = self._gain(coarse, known, skin_color)
        if not first and (strange := self._strange(seen, trust, gain)).any():
            trust = trust * ~strange
            coarse, known = coarse_band(canvas, seen.color, trust)
        weight = trust * np.maximum(seen.facing, 0)
        if self.bald:
            weight *= 1 - np.float32(1 - HAIR_SHARE) * seen.hair
        weight *= np.float32(quality * (FIRST_BONUS if first else 1))
        weight = by_feature(canvas, weight, trust)
        self.gains.append(np.exp(gain))
        self._show(seen, trust)
        self._sum(replace(seen, seen=trust), weight, coarse, gain)
        np.maximum(self.sums.known, known, out=self.sums.known)

    def result(self) -> Projection:
        """What all photos show together, without light. Call it once: the sums are used up."""
        canvas, sums = self.canvas, self.sums
        fine = sums.fine
        fine /= np.maximum(sums.fine_weight, 1e-37)[:, None]
        fine += canvas.surface.smooth(self._coarse(), canvas.head.faces)
        np.exp(fine, out=fine)
        fine -= FLOOR
        masks = sums.masks / np.maximum(sums.mask_weight, 1e-37)[:, None]
        skin, hair, bare = np.ascontiguousarray(masks.T)
        return Projection(fine, sums.seen, sums.visible, sums.facing, skin, hair, bare)

    @property
    def sums(self) -> Sums:
        """What has been added up."""
        assert self._sums is not None
        return self._sums

    def _trust(self, seen: Projection, like_skin: NDArray[np.float32], first: bool) -> NDArray[np.float32]:
        """(N,) how far a photo may paint each texel, 0 at the borders of what it shows."""
        canvas = self.canvas
        if first:
            clear = np.minimum(seen.bare * like_skin + seen.hair, 1)
        else:
            clear = seen.bare * like_skin * smoothstep(seen.facing, *SQUARELY)
        sockets = canvas.surface.smooth(canvas.head.regions["eye_sockets"][:, None], canvas.head.faces)[:, 0] > 0.5
        return soften(seen.seen * clear * canvas.on_skin, canvas.surface, BORDERS[not first], open_to=sockets)

    def _onto_first(
        self, seen: Projection, trust: NDArray[np.float32]
    ) -> tuple[Projection, NDArray[np.float32], float]:
        """A photo moved along the surface so that its features lie on those already there, and millimetres."""
        surface, shown = self.canvas.surface, self.sums.shown
        assert shown is not None
        own = detail(seen.color, trust, surface, FLOOR)
        moves = displacement(shown, own)
        if moves.any():
            fields = ("color", "seen", "visible", "facing", "skin", "hair", "bare")
            seen = Projection(**{name: carried(getattr(seen, name), moves, surface) for name in fields})
            trust = carried(trust, moves, surface)
        both = np.minimum(shown[..., 1], own[..., 1]) > COMMON
        far = np.linalg.norm(moves[both], axis=1).mean() / len(moves) * MILLIMETRES if both.any() else 0.0
        return seen, trust, float(far)

    def _show(self, seen: Projection, trust: NDArray[np.float32]) -> None:
        """Remember what later photos are moved onto: every place as the first that shows it does."""
        own, shown = detail(seen.color, trust, self.canvas.surface, FLOOR), self.sums.shown
        if shown is not None:
            own = np.where(shown[..., 1:] > COMMON, shown, own)
        self.sums.shown = own

    def _strange(self, seen: Projection, trust: NDArray[np.float32], gain: NDArray) -> NDArray[np.bool_]:
        """(N,) gaps in what was shown before that this photo fills with something else than the skin around them.

        Glasses' frames, a hand, a microphone are masked in one photo and missed in the next, where they are blurred.
        Brows and the like may differ from the skin around them, so that the rest of the gap decides.
        """
        canvas, sums = self.canvas, self.sums
        surface, faces = canvas.surface, canvas.head.faces
        gap = canvas.face_texels & self._gaps() & (sums.visible > 0.5)
        filled = gap & (trust > COMMON)
        if not filled.any():
            return filled
        around = surface.smooth((self._coarse() - gain).mean(1)[:, None], faces)[:, 0]
        strange = np.abs(np.log(seen.color + FLOOR).mean(1) - around) > STRANGE
        plain = filled & (surface.smooth(feature_members(canvas).max(1)[:, None], faces)[:, 0] < 0.1)
        if not plain.any() or strange[plain].mean() < STRANGE_SHARE:
            return np.zeros_like(filled)
        reach = 2 * max(1, round(GAP_MARGIN * surface.size)) + 1
        grown = cv2.dilate(surface.picture(gap.astype(np.uint8)), np.ones((reach, reach), np.uint8))
        return surface.flat(grown) > 0

    def _gaps(self) -> NDArray[np.bool_]:
        """(N,) what is not shown so far, with what is on both sides of it."""
        surface, shown = self.canvas.surface, self.sums.shown
        assert shown is not None
        shown = (shown[..., 1] > COMMON).astype(np.uint8)
        reach = max(1, round(GAP_WIDTH * len(shown) / 2))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        inside = cv2.morphologyEx(shown, cv2.MORPH_CLOSE, disc) - shown
        inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))  # slits between two photos
        full = cv2.resize(inside, (surface.size, surface.size), interpolation=cv2.INTER_NEAREST)
        return surface.flat(full) > 0

    def _coarse(self) -> NDArray[np.float64]:
        """(V,3) the coarse band so far."""
        sums = self.sums
        return sums.coarse / np.maximum(sums.coarse_weight, 1e-30)[:, None]

    def _gain(self, coarse: NDArray, known: NDArray, skin_color: NDArray[np.float32]) -> NDArray[np.float64]:
        """(3,) logarithms of the factors that bring a photo to the colours of those before: medians over vertices."""
        if not self.gains:
            return np.zeros(3)
        common = (known > COMMON) & (self.sums.known > COMMON) & self.canvas.head.regions["face"]
        if common.sum() < LEAST_COMMON:
            found = np.log((self.sums.skin_color + FLOOR) / (skin_color + FLOOR)).astype(np.float64)
        else:
            found = np.median((self._coarse() - coarse)[common], axis=0)
        return np.clip(found, -np.log(MOST_GAIN), np.log(MOST_GAIN))

    def _sum(self, seen: Projection, weight: NDArray[np.float32], coarse: NDArray, gain: NDArray) -> None:
        canvas, sums = self.canvas, self.sums
        fine = np.log(seen.color + FLOOR) - canvas.surface.smooth(coarse, canvas.head.faces)
        chosen = weight**CHOOSINESS
        # At the borders of what any photo shows, a mixture with what lies beyond would print as a line.
        fine *= (chosen * smoothstep(seen.seen, *FINE_FROM) * smoothstep(seen.facing, *SQUARELY))[:, None]
        sums.fine += fine
        sums.fine_weight += chosen
        chosen += np.float32(TINY) * seen.visible
        hair = seen.hair if len(self.gains) == 1 else np.zeros_like(seen.hair)
        sums.masks += chosen[:, None] * np.stack([seen.skin, hair, seen.bare], 1)
        sums.mask_weight += chosen
        for name in ("seen", "visible", "facing"):
            np.maximum(getattr(sums, name), getattr(seen, name), out=getattr(sums, name))
        broad = coarse_weight(canvas, weight)
        sums.coarse += broad[:, None] * (coarse + gain)
        sums.coarse_weight += broad


def hair_and_around(canvas: Canvas, first: Projection) -> NDArray[np.float32]:
    """(N,) 0..1, where the first photo's hair leaves no room for others' skin: on it, close beside it, and on all of
    the scalp, if most of the scalp that it shows has hair."""
    surface = canvas.surface
    scalp = surface.flat(canvas.base.regions["scalp"])
    hair = first.hair * first.visible
    hairy = float((hair * scalp).sum()) > 0.5 * float((first.visible * scalp).sum())
    reach = 2 * max(1, round(HAIR_MARGIN * surface.size)) + 1
    wide = cv2.dilate(surface.picture(hair), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    wide = surface.flat(cv2.GaussianBlur(wide, (0, 0), max(1.0, 0.3 * reach)))
    return np.maximum(wide, scalp * np.float32(hairy))


def by_feature(canvas: Canvas, weight: NDArray[np.float32], trust: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) weights with which each of `FEATURES` is taken as a whole: its mean weight, wherever it is seen at all."""
    members = canvas.surface.smooth(feature_members(canvas), canvas.head.faces)
    seen = smoothstep(trust, 0.0, 0.2)
    out = weight.copy()
    for member in members.T:
        level = float(member @ weight / max(float(member.sum()), 1e-6))
        out += member * (level * seen - weight)
    return out


def feature_members(canvas: Canvas) -> NDArray[np.float32]:
    """(V,F) 0..1, how far each vertex belongs to each of `FEATURES` or lies close beside it."""
    regions = np.stack([canvas.head.regions[name] for name in FEATURES], 1).astype(np.float32)
    return smoothstep(averaged(regions, surface_edges(canvas.head), 3), 0.1, 0.4)


def coarse_band(
    canvas: Canvas, color: NDArray[np.float32], trust: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(V,3) logarithms of colour around the vertices, carried on smoothly where nothing is seen, and trust (V,)."""
    part, edges = sparse(canvas.surface), surface_edges(canvas.head)
    means, known = to_vertices(np.log(color[part] + FLOOR), trust[part], canvas.surface, canvas.head)
    around = averaged(np.concatenate([means * known[:, None], known[:, None]], 1), edges, COARSE_ROUNDS)
    means = around[:, :3] / np.maximum(around[:, 3:], 1e-9)
    return extend(edges, means, 20.0 * around[:, 3]), known


def coarse_weight(canvas: Canvas, weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """(V,) smooth weights of a photo's coarse band."""
    part = sparse(canvas.surface)
    _, means = to_vertices(weight[part][:, None], weight[part], canvas.surface, canvas.head)
    return averaged(means[:, None] ** 2, surface_edges(canvas.head), CHANGE_ROUNDS)[:, 0] + 1e-9
