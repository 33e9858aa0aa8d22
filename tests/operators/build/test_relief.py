"""Maps of fine relief and gloss in the skin's material."""

import struct
import zlib

import bpy
import numpy as np
import pytest
from likeness.engine.texture.detail_files import HEIGHT_SPAN
from likeness.operators.build import BuildOptions, build_head
from likeness.operators.surface import relief_sockets

SIZE = 16
MAPS = ("Normal", "Height", "Roughness", "Specular")


def png(array):
    """A PNG of (H,W) or (H,W,3), 8 or 16 bits; not all of these Blenders have Pillow."""
    kind, depth = (0 if array.ndim == 2 else 2), 8 * array.itemsize
    rows = np.ascontiguousarray(array.astype(array.dtype.newbyteorder(">"))).reshape(len(array), -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], depth, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.fixture
def folder(tmp_path):
    """A result folder with all four maps: a bump of 0.5 mm in one texel of the top row, else plain."""
    height = np.full((SIZE, SIZE), 0.5)
    height[0, 3] += 0.0005 / HEIGHT_SPAN
    maps = {
        "normal": np.full((SIZE, SIZE, 3), (128, 128, 255), np.uint8),
        "roughness": np.full((SIZE, SIZE), 102, np.uint8),
        "specular": np.full((SIZE, SIZE), 128, np.uint8),
        "height": np.round(height * 65535).astype(np.uint16),
    }
    for name, array in maps.items():
        (tmp_path / f"{name}.png").write_bytes(png(array))
    return tmp_path


def nodes_of(material):
    return material.node_tree.nodes


def source(node, socket):
    """The node that feeds a socket."""
    return node.inputs[socket].links[0].from_node


def shader_of(material):
    return next(node for node in nodes_of(material) if node.type == "BSDF_PRINCIPLED")


def layout_of(material):
    """Every node and link of a material, in words."""
    tree = material.node_tree
    links = [f"{link.from_node.name}.{link.from_socket.name} > {link.to_node.name}.{link.to_socket.name}"
             for link in tree.links]  # fmt: skip
    return sorted(node.name for node in tree.nodes), sorted(links)


def test_a_head_without_maps_is_as_it_was(person, tmp_path):
    plain = build_head(bpy.context, person)
    empty = build_head(bpy.context, person, tmp_path)
    for before, after in zip(plain.materials, empty.materials, strict=True):
        assert layout_of(before) == layout_of(after)
        assert not set(MAPS) & set(nodes_of(after).keys())
    skin = shader_of(empty.materials[0])
    assert source(skin, "Normal").type == "BUMP"
    assert skin.inputs["Roughness"].default_value == pytest.approx(0.48)
    assert relief_sockets(empty.head) == []


def test_each_map_reaches_its_socket_as_plain_data(person, folder):
    skin, eye = build_head(bpy.context, person, folder).materials[:2]
    shader, nodes = shader_of(skin), nodes_of(skin)
    assert source(shader, "Roughness") == nodes["Roughness"]
    assert source(shader, "Specular IOR Level") == nodes["Specular"]
    assert source(shader, "Normal") == nodes["Detail"]
    assert nodes["Detail"].space == "TANGENT"
    assert nodes["Detail"].uv_map == "UVMap"
    assert source(nodes["Detail"], "Color") == nodes["Normal"]
    for name in MAPS:
        assert nodes[name].image.colorspace_settings.name == "Non-Color"
        assert nodes[name].image.packed_file is not None
        assert source(nodes[name], "Vector").uv_map == "UVMap"
    assert not set(MAPS) & set(nodes_of(eye).keys())


def test_the_height_keeps_its_16_bits_and_metres(person, folder):
    skin = build_head(bpy.context, person, folder).materials[0]
    image = nodes_of(skin)["Height"].image
    pixels = np.empty(4 * SIZE * SIZE, np.float32)
    image.pixels.foreach_get(pixels)
    grey = pixels.reshape(SIZE, SIZE, 4)[::-1, :, 0]
    metres = (grey - 0.5) * HEIGHT_SPAN
    assert metres[0, 3] == pytest.approx(0.0005, abs=2e-8)
    assert np.abs(np.delete(metres.ravel(), 3)).max() < 2e-8


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_displacement_waits_at_zero_and_is_metres_at_one(person, folder, unit):
    bpy.context.scene.unit_settings.scale_length = unit
    built = build_head(bpy.context, person, folder)
    skin = built.materials[0]
    output = next(node for node in nodes_of(skin) if node.type == "OUTPUT_MATERIAL")
    move = source(output, "Displacement")
    strength = source(move, "Scale")
    assert strength.operation == "MULTIPLY"
    assert strength.inputs[0].default_value == 0.0
    assert strength.inputs[1].default_value == pytest.approx(HEIGHT_SPAN / unit)
    assert move.inputs["Midlevel"].default_value == 0.5
    assert source(move, "Height").image == nodes_of(skin)["Height"].image
    assert skin.displacement_method == "BUMP"
    sliders = dict(relief_sockets(built.head))
    assert {label: socket.default_value for label, socket in sliders.items()} == {"Detail": 1.0, "Displacement": 0.0}


def test_some_maps_without_the_others(person, folder):
    (folder / "normal.png").unlink()
    (folder / "height.png").unlink()
    skin = build_head(bpy.context, person, folder).materials[0]
    assert source(shader_of(skin), "Normal").type == "BUMP"
    assert source(shader_of(skin), "Roughness") == nodes_of(skin)["Roughness"]
    assert "Detail" not in nodes_of(skin)


def test_maps_can_stay_files(person, folder, tmp_path):
    kept = tmp_path / "kept"
    skin = build_head(bpy.context, person, folder, BuildOptions(image_folder=kept)).materials[0]
    assert nodes_of(skin)["Normal"].image.packed_file is None
    assert (kept / "sphere Normal.png").read_bytes() == (folder / "normal.png").read_bytes()
    assert (kept / "sphere Height.png").read_bytes() == (folder / "height.png").read_bytes()
