"""A square with a picture as the engine's depth meshes are stored, written by hand: no library of the engine needed."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np

CORNERS = np.array([[-0.1, 0.0, 0.05], [0.1, 0.0, 0.05], [0.1, 0.2, 0.05], [-0.1, 0.2, 0.05]], np.float32)
UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)  # glTF counts v from above
FACES = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)


def square_glb() -> bytes:
    """The file."""
    parts = [FACES.tobytes(), CORNERS.tobytes(), UV.tobytes(), red_png()]
    views, binary = [], b""
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(part)})
        binary += part + b"\0" * (-len(part) % 4)
    tree = {
        "asset": {"version": "2.0"},
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1, "TEXCOORD_0": 2}, "indices": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5125, "type": "SCALAR", "count": FACES.size},
            {"bufferView": 1, "componentType": 5126, "type": "VEC3", "count": 4},
            {"bufferView": 2, "componentType": 5126, "type": "VEC2", "count": 4},
        ],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary))
    return (
        header + struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x4E4942) + binary
    )


def red_png() -> bytes:
    """Four red pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * 2) * 2
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
