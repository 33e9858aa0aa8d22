"""The depth mesh as a GLB: metres, Y up, in the head's frame."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..export import PICTURE_QUALITY, add_picture
from ..media.write import whole_file
from .glb import attribute_of
from .mesh import DepthMesh

if TYPE_CHECKING:
    import trimesh

NAME = "depth"


def texture_of(mesh: DepthMesh, front: NDArray[np.uint8], back: NDArray[np.uint8] | None) -> tuple[NDArray, NDArray]:
    """The picture of the whole mesh and its texture coordinates: the front's alone, or front and back side by side.

    Returns:
        (H,W,3) uint8 sRGB; (T,2) within 0..1.
    """
    if back is None:
        return front, mesh.uv
    return np.hstack([front, back]), mesh.uv * np.array([0.5, 1.0], np.float32)


def as_trimesh(
    mesh: DepthMesh, uv: NDArray | None = None, groups: Mapping[str, NDArray] | None = None
) -> trimesh.Trimesh:
    """The mesh for trimesh, with a vertex for every pair of a place and a texture coordinate where `uv` (T,2) is given,
    else with the mesh's own. Groups, (V,) weights by name, become vertex attributes."""
    import trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    if uv is None:
        return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False, validate=False)
    pairs = mesh.faces.astype(np.int64).ravel() * len(uv) + mesh.uv_faces.ravel()
    unique, corner = np.unique(pairs, return_inverse=True)
    place, texel = np.divmod(unique, len(uv))
    made = trimesh.Trimesh(
        mesh.vertices[place], corner.reshape(-1, 3), vertex_normals=mesh.normals[place], process=False, validate=False
    )
    material = PBRMaterial(name=NAME, metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True)
    made.visual = TextureVisuals(uv=uv[texel], material=material)
    for name, weights in (groups or {}).items():
        made.vertex_attributes[attribute_of(name)] = weights[place].astype(np.float32)
    return made


def export_depth_glb(
    mesh: DepthMesh,
    picture: NDArray[np.uint8],
    uv: NDArray,
    path: Path,
    groups: Mapping[str, NDArray] | None = None,
) -> None:
    """Write `mesh.glb`, whole or not at all.

    Args:
        picture: (H,W,3) sRGB. uv: (T,2) in it, see `texture_of`.
        groups: (V,) weights of vertices by name, see `groups`; kept as the attributes `_SKIN` and so on.
    Raises:
        OutputError: it cannot be written.
    """
    import trimesh
    from PIL import Image
    from trimesh.exchange.gltf import export_glb

    scene = trimesh.Scene()
    scene.add_geometry(as_trimesh(mesh, uv, groups), geom_name=NAME, node_name=NAME)
    encoded = BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=PICTURE_QUALITY, subsampling=0)
    data = add_picture(export_glb(scene, include_normals=True), NAME, encoded.getvalue(), "image/jpeg")
    with whole_file(path) as file:
        file.write(data)
