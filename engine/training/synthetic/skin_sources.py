"""Skins taken apart: broad colour and fine detail of each, without painted eyes, light and hair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from ...render.lighting import srgb_to_linear
from .pigment import density
from .skin_places import Canvas, rim_shares

SOURCE_SIZE = 2048
RIM = 6
"""Texels at the rim of MakeHuman's islands that are not trusted: some skins have a pale edge there."""
EVEN_SCALE = 0.02
"""Painted shading broader than this share of the texture is taken for light ..."""
EVEN_SHARE = 0.5
"""... and so much of it is removed."""
LIP_SCALE = 0.012
MOST_SHADE, MOST_TINT = 0.1, 0.03
"""Greatest standard deviation of density over a face."""
BARE_SCALP = 0.35
"""Share that is kept of the short hair on the base skin's scalp."""
BROAD_SCALE = 0.0045
"""Blur, in shares of the texture, that parts broad colour from fine detail."""
SOFT_SOURCE = 0.5
"""Share of a sharp skin's detail lent to one that is known at 512 texels only."""


@dataclass(frozen=True)
class SkinParts:
    """One skin on N texels: density less the median of its face.

    Attributes:
        broad: (N,3). fine: (N,), the same in all channels.
    """

    broad: NDArray[np.float32]
    fine: NDArray[np.float32]


def base_parts(canvas: Canvas) -> SkinParts:
    """The bundled base skin, its own lips evened out."""
    found = density(srgb_to_linear(canvas.base()))
    found -= np.median(found[_bare(canvas)], axis=0)
    found *= (1 - (1 - BARE_SCALP) * _scalp(canvas))[:, None]
    return _parts(canvas, _even_lips(canvas, found))


def read_skins(canvas: Canvas, folder: Path, base: SkinParts) -> dict[str, SkinParts]:
    """All of MakeHuman's skins by name; the sharper picture where there are two.

    Args:
        canvas: of the head.
        folder: with `skins_2048` and `skins_512`.
        base: lends scalp, lid margins and inner lips, where MakeHuman's skins show painted hair, eyes and teeth.
    """
    sharp = {path.stem.replace("_diffuse", ""): path for path in sorted((folder / "skins_2048").glob("*.png"))}
    soft = {path.stem.replace("_diffuse", ""): path for path in sorted((folder / "skins_512").glob("*.png"))}
    if not sharp:
        raise ModelFileError(f"{folder / 'skins_2048'} holds no skins.", "Fetch MakeHuman's CC0 skins again.")
    nearest = _fill_map(canvas)
    rims = np.maximum(*rim_shares(canvas).values())
    scalp = _scalp(canvas)
    skins: dict[str, SkinParts] = {}
    for name, path in sorted((soft | sharp).items()):
        found = density(_read(canvas, path, nearest))
        found -= np.median(found[_bare(canvas)], axis=0)
        found = _tamed(canvas, _even(canvas, found))
        own = (1 - np.maximum(rims, scalp))[:, None]
        found = own * found + (1 - own) * (base.broad + base.fine[:, None])
        skins[name] = _parts(canvas, _even_lips(canvas, found))
    lender = sorted(sharp)
    for number, name in enumerate(sorted(set(soft) - set(sharp))):
        lent = skins[lender[number % len(lender)]].fine
        skins[name] = SkinParts(skins[name].broad, skins[name].fine + SOFT_SOURCE * lent)
    return dict(sorted(skins.items()))


def _bare(canvas: Canvas) -> NDArray[np.bool_]:
    """(N,) texels of plain skin: cheeks, chin, nose, forehead."""
    face = (canvas.gather(canvas.head.regions["face"]) > 0.5) & canvas.outer
    apart = sum(canvas.base_region(name) for name in ("lips", "brow", "nostril", "scalp"))
    return face & (np.asarray(apart) < 0.05)


def _read(canvas: Canvas, path: Path, nearest: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N,3) linear albedo of a picture in MakeHuman's UV, averaged over about a texel of the head's."""
    import cv2

    data = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if data is None:
        raise ModelFileError(f"{path} is not a picture.", "Fetch MakeHuman's skins again.")
    if len(data) != SOURCE_SIZE:
        data = cv2.resize(data, (SOURCE_SIZE, SOURCE_SIZE), interpolation=cv2.INTER_CUBIC)
    filled = np.asarray(data[..., ::-1], np.uint8).reshape(-1, 3)[nearest]
    linear = cv2.GaussianBlur(srgb_to_linear(filled), (0, 0), 0.35 * SOURCE_SIZE / len(canvas.covered) / 1.8)
    at = canvas.makehuman * [SOURCE_SIZE, -SOURCE_SIZE] + [-0.5, SOURCE_SIZE - 0.5]
    rows = -(-len(at) // 4096)
    grid = np.resize(at.astype(np.float32), (rows, 4096, 2))
    found = cv2.remap(linear, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, 3)[: len(at)]


def _fill_map(canvas: Canvas) -> NDArray[np.int64]:
    """(2048,2048) flat index of the nearest trusted texel of MakeHuman's square."""
    import cv2

    from ...evaluation.skins import makehuman_triangles

    triangles = makehuman_triangles(canvas.head)
    points = np.round(triangles * [SOURCE_SIZE, -SOURCE_SIZE] + [0, SOURCE_SIZE]).astype(np.int32)
    drawn = np.zeros((SOURCE_SIZE, SOURCE_SIZE), np.uint8)
    for triangle in points[(triangles != 0).any((1, 2))]:
        cv2.fillConvexPoly(drawn, triangle, 1)
    outlines, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(drawn), outlines, -1, 1, cv2.FILLED)
    trusted = cv2.erode(filled, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) & drawn
    _, labels = cv2.distanceTransformWithLabels(1 - trusted, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_label = np.zeros(labels.max() + 1, np.int64)
    inside = np.flatnonzero(trusted)
    of_label[labels.reshape(-1)[inside]] = inside
    return of_label[labels]


def _scalp(canvas: Canvas) -> NDArray[np.float32]:
    """(N,) 0..1 where hair is painted on some skins, with a soft edge."""
    import cv2

    mask = canvas.picture(canvas.base_region("scalp"))
    size = len(mask)
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size // 20 + 1, size // 20 + 1)))
    return cv2.GaussianBlur(grown, (0, 0), size / 50)[canvas.covered]


def _blur(canvas: Canvas, flat: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """(N,C) Gaussian blur over the outer skin alone."""
    import cv2

    inside = np.zeros(canvas.covered.shape, np.float32)
    inside[canvas.covered] = canvas.outer
    picture = np.zeros((*inside.shape, flat.shape[1]), np.float32)
    picture[canvas.covered] = flat * canvas.outer[:, None]
    radius *= len(inside)
    total = cv2.GaussianBlur(picture, (0, 0), radius).reshape(picture.shape)
    weight = np.maximum(cv2.GaussianBlur(inside, (0, 0), radius), 1e-4)
    return (total / weight[..., None])[canvas.covered]


def _even(canvas: Canvas, found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Less of the painted light."""
    broad = _blur(canvas, found, EVEN_SCALE)
    return found - EVEN_SHARE * broad


def _even_lips(canvas: Canvas, found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lips of the skin's own colour, but for their lines: their colour is drawn later."""
    import cv2

    size = len(canvas.covered)
    mask = cv2.dilate(canvas.picture(canvas.base_region("lips") * canvas.outer), np.ones((3, 3), np.uint8))
    lips = cv2.GaussianBlur(mask, (0, 0), size / 400)[canvas.covered][:, None]
    inside = Canvas(**{**vars(canvas), "outer": canvas.outer & (lips[:, 0] > 0.3)})
    return found - _blur(inside, found, LIP_SCALE) * lips


def _tamed(canvas: Canvas, found: NDArray[np.float32]) -> NDArray[np.float32]:
    """A skin whose tint and shade vary no more than skin does: dark pictures have few steps and painted light."""
    face = _bare(canvas)
    shade = found.mean(1, keepdims=True)
    tint = found - shade
    gain = [min(1.0, most / float(part[face].std())) for part, most in ((shade, MOST_SHADE), (tint, MOST_TINT))]
    return gain[0] * shade + gain[1] * tint


def _parts(canvas: Canvas, found: NDArray[np.float32]) -> SkinParts:
    broad = _blur(canvas, found, BROAD_SCALE)
    return SkinParts(broad, (found - broad).mean(1).astype(np.float32) * canvas.outer)
