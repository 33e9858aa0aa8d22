"""One photo's depth, by whichever method.

| method | face | hair, collar, glasses | elsewhere |
|---|---|---|---|
| head | fitted head | nothing | nothing |
| inflate | fitted head | blown up within the outline | the same |
| unet | bundled network, drawn to the head | bundled network | blown up |
| dpt | the user's DPT-Large, drawn to the head | DPT-Large | DPT-Large, as far as it is plausible |

"auto" takes dpt where its file is, else unet, else inflate. A volume that a generator makes of the photo is a whole
head of its own, not depth seen from one side: `eg3d.job` does that method.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..models.registry import DPT_LARGE
from .compose import calmed_border, drawn_to, laid_over
from .depth_map import Depth
from .head import HeadDepth, head_depth, skull_limit
from .inflate import inflated
from .unet import network_depth
from .view import View

Floats = NDArray[np.float32]
Method = Literal["auto", "unet", "dpt", "inflate", "head", "eg3d"]
METHODS: tuple[Method, ...] = get_args(Method)
LEAST_CONFIDENCE = 0.3
"""Of the parts network in there being a face, below which "auto" does without it."""
NOSE = 0.012
"""Metres: in the face, what is broader than this is the head's (a network's long nose, thesis A.8), what is finer the
network's own."""
HEAD_REACH, NETWORK_REACH = 0.05, 0.12
"""Metres after which a correction by the head, and by a network, has died away to a third."""
INFERRED, BY_NETWORK = 0.2, 0.6
"""Confidence of depth that is only blown up, and of a network's."""


@dataclass(frozen=True)
class Measured:
    """Depth, and how it came about.

    Attributes:
        depth: of the view.
        method: that was used.
        notices: sentences for the report.
    """

    depth: Depth
    method: Method
    notices: tuple[str, ...] = ()


def measure(view: View, method: Method = "auto", model_folder: Path | None = None, device: str = "cpu") -> Measured:
    """Depth of a view.

    Raises:
        FaceError: the method needs a network that cannot be used on this face.
        ModelFileError: DPT-Large's file is missing, damaged, or another model's.
    """
    chosen = choose_method(view, method, model_folder)
    head = head_depth(view)
    if chosen == "head":
        mask = np.isfinite(head.depth)
        return Measured(_finished(view, head.depth, head.trust, mask), chosen)
    base = inflated(view, head)
    confidence = np.full(view.shape, INFERRED, np.float32)
    if chosen in ("unet", "dpt"):
        seen, belief = _by_network(view, head, chosen, model_folder, device)
        seen = drawn_to(seen, head.depth, head.trust, NOSE / view.metres, HEAD_REACH / view.metres)
        base = drawn_to(base, seen, belief, 1.0, NETWORK_REACH / view.metres, view.mask)
        base = laid_over(base, seen, belief)
        confidence += belief * (BY_NETWORK - INFERRED)
    base = drawn_to(base, head.depth, head.trust, 1.0, HEAD_REACH / view.metres)
    base = laid_over(base, head.depth, head.trust)
    base = np.fmin(base, skull_limit(view, head))
    base = calmed_border(base, view.mask, view.metres)
    confidence = np.maximum(confidence, head.trust)
    return Measured(_finished(view, base, confidence, view.mask), chosen)


def choose_method(view: View, method: Method, model_folder: Path | None) -> Method:
    """The method that "auto" stands for, others as they are.

    Raises:
        FaceError: "unet" was asked for, and the network cannot be used. ValueError: the method is "eg3d".
    """
    if method == "eg3d":
        raise ValueError("the method “eg3d” is a job of its own")
    if method == "unet" and view.parts is None:
        raise FaceError("The engine's depth network cannot be used on this face.", "Choose another method.")
    if method != "auto":
        return method
    if DPT_LARGE.find(model_folder) is not None:
        return "dpt"
    return "unet" if view.parts is not None and view.parts.confidence > LEAST_CONFIDENCE else "inflate"


def _by_network(
    view: View, head: HeadDepth, method: Method, model_folder: Path | None, device: str
) -> tuple[Floats, Floats]:
    """(h,w) metres, (h,w) 0..1 how far they are believed."""
    if method == "dpt":
        from .dpt import dpt_depth

        return dpt_depth(view, head, DPT_LARGE.require(model_folder), device)
    assert view.parts is not None
    return network_depth(view, view.parts, head)


def _finished(view: View, depth: Floats, confidence: Floats, mask: NDArray[np.bool_]) -> Depth:
    mask = mask & np.isfinite(depth) & (depth > 0.01)
    return Depth(
        np.where(mask, depth, np.nan).astype(np.float32),
        mask,
        np.where(mask, np.clip(confidence, 0, 1), 0).astype(np.float32),
        view.camera,
    )
