"""A GLB of the finished head for a quick look in any viewer: textured, with the expressions as morph targets."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import OutputError
from .hair.shell import HairShell
from .render.look import face_materials, lash_opacity
from .result import Reconstruction

LARGEST_TEXTURE, LARGEST_NORMALS, PICTURE_QUALITY = 2048, 1024, 92
SMALLEST_MOVE = 2e-6
"""Displacements below this (metres) are left out of morph targets."""
COLOUR, NORMALS = "baseColorTexture", "normalTexture"
LARGEST_HAIR, HAIR_CUT = 1536, 0.5
LASH_COLOUR = (28, 20, 16)
FLOAT, UNSIGNED_INT = 5126, 5125
LINEAR, LINEAR_MIPMAP_LINEAR = 9729, 9987
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


@dataclass(frozen=True)
class _Piece:
    """Part of the head as glTF wants it: one vertex for each pair of a position and a texture point.

    Attributes:
        source: (N,) int64, the vertex of the head each comes from.
        uv_source: (N,) int64, its UV vertex.
        faces: (F,3) into these.
    """

    source: NDArray[np.int64]
    uv_source: NDArray[np.int64]
    faces: NDArray[np.int64]


def export_glb(reconstruction: Reconstruction, path: Path, normals: NDArray[np.uint8] | None = None) -> None:
    """Write the neutral head as binary glTF 2.0, metres, Y up, face to +Z; lashes as a translucent piece of their own,
    hair as another that is cut out where it is transparent.

    Args:
        normals: (S,S,3) normal map of the skin's relief (`engine.texture.detail`), +Y up as glTF has it; None for none.
    Raises:
        OutputError: the file cannot be written.
    """
    data = add_picture(_geometry(reconstruction), "skin", _picture(reconstruction.albedo), "image/jpeg")
    if normals is not None:
        data = add_picture(data, "skin", _picture(normals, LARGEST_NORMALS, subsampling=0), "image/jpeg", NORMALS)
    if reconstruction.hair is not None:
        data = add_picture(data, "hair", _cut_out_picture(reconstruction.hair.albedo), "image/png")
    data = add_morph_targets(data, _morphs(reconstruction), reconstruction.expression_names)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.", "Choose a folder you can write to, with free space."
        ) from error


def _pieces(head: Reconstruction) -> dict[str, _Piece]:
    lashes = face_materials(head) == _slot(head, "lashes")
    chosen = {"head": ~lashes, "lashes": lashes}
    return {name: _split(head.faces[mask], head.uv_faces[mask]) for name, mask in chosen.items() if mask.any()}


def _slot(head: Reconstruction, name: str) -> int:
    return head.material_names.index(name) if name in head.material_names else -1


def _split(faces: NDArray, uv_faces: NDArray) -> _Piece:
    pairs = np.stack([faces.reshape(-1), uv_faces.reshape(-1)], 1).astype(np.int64)
    unique, corner = np.unique(pairs, axis=0, return_inverse=True)
    return _Piece(unique[:, 0], unique[:, 1], corner.reshape(-1, 3))


def _geometry(head: Reconstruction) -> bytes:
    """The GLB as trimesh writes it, still without picture and morph targets."""
    import trimesh
    from trimesh.exchange.gltf import export_glb as trimesh_glb
    from trimesh.visual import TextureVisuals

    vertices = head.vertices
    normals = np.array(trimesh.Trimesh(vertices, head.faces, process=False).vertex_normals)
    opacity = lash_opacity(head)
    scene = trimesh.Scene()
    for name, piece in _pieces(head).items():
        mesh = trimesh.Trimesh(
            vertices[piece.source], piece.faces, vertex_normals=normals[piece.source], process=False, validate=False
        )
        if name == "head":
            mesh.visual = TextureVisuals(uv=head.uv[piece.uv_source], material=_skin_material())
        else:
            colours = np.full((len(piece.source), 4), 255, np.uint8)
            colours[:, 3] = np.round(opacity[piece.source] * 255)
            mesh.visual = TextureVisuals(uv=head.uv[piece.uv_source], material=_lash_material())
            mesh.visual.vertex_attributes["color"] = colours
        scene.add_geometry(mesh, geom_name=name, node_name=name)
    if head.hair is not None:
        scene.add_geometry(_hair_mesh(head.hair), geom_name="hair", node_name="hair")
    return trimesh_glb(scene, include_normals=True)


def _hair_mesh(hair: HairShell) -> Any:
    import trimesh
    from trimesh.visual import TextureVisuals

    piece = _split(hair.faces, hair.uv_faces)
    normals = np.array(trimesh.Trimesh(hair.vertices, hair.faces, process=False).vertex_normals)
    mesh = trimesh.Trimesh(
        hair.vertices[piece.source], piece.faces, vertex_normals=normals[piece.source], process=False, validate=False
    )
    mesh.visual = TextureVisuals(uv=hair.uv[piece.uv_source], material=_hair_material())
    return mesh


def _hair_material() -> Any:
    from trimesh.visual.material import PBRMaterial

    return PBRMaterial(
        name="hair", metallicFactor=0.0, roughnessFactor=0.65, alphaMode="MASK", alphaCutoff=HAIR_CUT, doubleSided=True
    )


def _skin_material() -> Any:
    from trimesh.visual.material import PBRMaterial

    return PBRMaterial(name="skin", metallicFactor=0.0, roughnessFactor=0.55, doubleSided=True)


def _lash_material() -> Any:
    from trimesh.visual.material import PBRMaterial

    return PBRMaterial(
        name="lashes",
        baseColorFactor=[*LASH_COLOUR, 255],
        metallicFactor=0.0,
        roughnessFactor=0.8,
        alphaMode="BLEND",
        doubleSided=True,
    )


def _morphs(head: Reconstruction) -> dict[str, NDArray[np.float32]]:
    """(E,N,3) displacements by piece."""
    basis = head.expression_basis.astype(np.float32)
    return {name: basis[:, piece.source] for name, piece in _pieces(head).items()}


def _picture(pixels: NDArray[np.uint8], largest: int = LARGEST_TEXTURE, **how: int) -> bytes:
    """A picture as JPEG: good enough for a quick look, and much smaller and quicker than a PNG."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    if picture.width > largest:
        picture = picture.resize((largest, largest), Image.Resampling.LANCZOS)
    data = BytesIO()
    picture.save(data, "JPEG", quality=PICTURE_QUALITY, **how)
    return data.getvalue()


def _cut_out_picture(albedo: NDArray[np.uint8]) -> bytes:
    """The hair's colour and opacity as PNG."""
    from PIL import Image

    picture = Image.fromarray(albedo)
    if picture.width > LARGEST_HAIR:
        half = albedo.astype(np.uint16).reshape(albedo.shape[0] // 2, 2, albedo.shape[1] // 2, 2, 4).mean((1, 3))
        picture = Image.fromarray(half.astype(np.uint8))
    data = BytesIO()
    picture.save(data, "PNG", compress_level=3, compress_type=3)
    return data.getvalue()


def add_picture(glb: bytes, material: str, picture: bytes, kind: str, use: str = COLOUR) -> bytes:
    """A GLB with a picture in the material of that name. (trimesh would encode it once more.)

    Args:
        kind: its MIME type.
        use: `COLOUR` or `NORMALS`.
    """
    tree, binary = read_glb(glb)
    buffer = bytearray(binary)
    images, textures = tree.setdefault("images", []), tree.setdefault("textures", [])
    images.append({"bufferView": _add_view(tree, buffer, picture), "mimeType": kind})
    tree["samplers"] = [{"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR}]
    textures.append({"source": len(images) - 1, "sampler": 0})
    painted = next(entry for entry in tree["materials"] if entry["name"] == material)
    part = painted["pbrMetallicRoughness"] if use == COLOUR else painted
    part[use] = {"index": len(textures) - 1}
    tree["buffers"] = [{"byteLength": len(buffer)}]
    return _write_glb(tree, bytes(buffer))


def add_morph_targets(glb: bytes, morphs: dict[str, NDArray[np.float32]], names: tuple[str, ...]) -> bytes:
    """A GLB with morph targets added to its meshes, as sparse accessors.

    Args:
        glb: with one primitive per mesh.
        morphs: mesh name to (E,N,3) displacements of its vertices.
        names: (E,) shown by viewers (`extras.targetNames`).
    """
    tree, binary = read_glb(glb)
    buffer = bytearray(binary)
    for mesh in tree["meshes"]:
        if mesh["name"] not in morphs:
            continue
        primitive = mesh["primitives"][0]
        primitive["targets"] = [{"POSITION": _add_sparse(tree, buffer, move)} for move in morphs[mesh["name"]]]
        mesh["weights"] = [0.0] * len(names)
        mesh["extras"] = mesh.get("extras", {}) | {"targetNames": list(names)}
    tree["buffers"] = [{"byteLength": len(buffer)}]
    return _write_glb(tree, bytes(buffer))


def _add_sparse(tree: dict, buffer: bytearray, move: NDArray[np.float32]) -> int:
    """Append one displacement field (N,3); returns its accessor's index."""
    moved = np.flatnonzero(np.abs(move).max(1) > SMALLEST_MOVE)
    if not len(moved):
        moved = np.array([0])
    values = np.ascontiguousarray(move[moved], np.float32)
    everywhere = np.zeros_like(move)
    everywhere[moved] = values
    tree["accessors"].append(
        {
            "componentType": FLOAT,
            "type": "VEC3",
            "count": len(move),
            "min": everywhere.min(0).tolist(),
            "max": everywhere.max(0).tolist(),
            "sparse": {
                "count": len(moved),
                "indices": {
                    "bufferView": _add_view(tree, buffer, moved.astype("<u4").tobytes()),
                    "componentType": UNSIGNED_INT,
                },
                "values": {"bufferView": _add_view(tree, buffer, values.astype("<f4").tobytes())},
            },
        }
    )
    return len(tree["accessors"]) - 1


def _add_view(tree: dict, buffer: bytearray, data: bytes) -> int:
    buffer.extend(b"\0" * (-len(buffer) % 4))
    tree["bufferViews"].append({"buffer": 0, "byteOffset": len(buffer), "byteLength": len(data)})
    buffer.extend(data)
    return len(tree["bufferViews"]) - 1


def read_glb(glb: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk of a GLB."""
    length = struct.unpack_from("<I", glb, 12)[0]
    return json.loads(glb[20 : 20 + length]), glb[28 + length :]


def _write_glb(tree: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary))
    chunks = struct.pack("<II", len(text), JSON_CHUNK) + text + struct.pack("<II", len(binary), BINARY_CHUNK) + binary
    return header + chunks
