"""Which texture model a choice means: what is bundled, or better, what the user brings."""

from __future__ import annotations

from pathlib import Path

from ...errors import EngineError
from ...heads.model import HeadModel
from ...models.registry import FFHQ_UV_TEXTURE, FLAME_ALBEDO, FLAME_TEMPLATE, FLAME_TEXTURE
from .model import TextureModel

USERS_SIZE = 1024
"""Side of the textures that users' generators are brought to, texels."""
CARRIED_SIZE = 512
"""The same for other heads than the open one."""


def texture_model(choice: str, model_folder: Path | None, head: HeadModel) -> TextureModel:
    """The model of a choice.

    Args:
        choice: "linear" or "ganfit".
        model_folder: where the user's own generator is looked for.
        head: whose UV the textures are in; models of the open head are laid over others.
    Raises:
        EngineError: no such choice.
        ModelFileError: a file is missing, damaged or of another kind.
    """
    if choice == "linear" and (own := _flames_own(model_folder, head)) is not None:
        return own
    model = _of_open_head(choice, model_folder)
    if head.name == "open":
        return model
    from .carried import CarriedTexture, from_open_head

    return CarriedTexture(model, from_open_head(head, CARRIED_SIZE))


def _flames_own(model_folder: Path | None, head: HeadModel) -> TextureModel | None:
    """The user's texture space of FLAME, for FLAME in the layout that it is in."""
    path = FLAME_TEXTURE.find(model_folder) or FLAME_ALBEDO.find(model_folder)
    if path is None or FLAME_TEMPLATE.files[0] not in head.provenance.get("files", ""):
        return None
    from .flame_texture import SIDE, load_flame_texture
    from .uv_transfer import own_layout

    return load_flame_texture(path, own_layout(head, SIDE))


def _of_open_head(choice: str, model_folder: Path | None) -> TextureModel:
    if choice == "linear":
        from .linear import load_linear

        return load_linear()
    if choice == "ganfit":
        own = FFHQ_UV_TEXTURE.find(model_folder)
        if own is not None:
            from ...heads.loader import load_head

            return load_stylegan2_of(own, load_head())
        from .small import SmallGeneratorTexture

        return SmallGeneratorTexture()
    raise EngineError(f"There is no texture model “{choice}”.", "Choose “ganfit” or “linear”.")


def load_stylegan2_of(path: Path, head: HeadModel) -> TextureModel:
    """The user's generator in FFHQ-UV's layout, its colours brought to the head's."""
    from .gan import load_stylegan2
    from .uv_transfer import FFHQ_UV, FFHQ_UV_PAIRS, from_landmarks

    return load_stylegan2(path, from_landmarks(FFHQ_UV, head, USERS_SIZE, FFHQ_UV_PAIRS))
