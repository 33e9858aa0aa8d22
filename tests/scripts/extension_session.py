"""One session of a user with the zip: install, enable, try a broken and a good photo, disable. Prints what it saw.

Run as a program of its own, with BLENDER_USER_RESOURCES set: python extension_session.py ZIP INTERPRETER BROKEN [GOOD].
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import bpy

MODULE = "bl_ext.user_default.likeness"
HEAVY = ("torch", "mediapipe", "cv2", "trimesh", "scipy", "PIL", "safetensors")
commands: list[Any] = []


def count_commands() -> None:
    """Keep a list of the registered command-line commands; Blender shows none."""
    register, unregister = bpy.utils.register_cli_command, bpy.utils.unregister_cli_command

    def register_cli_command(name: str, execute: Any) -> Any:
        commands.append(register(name, execute))
        return commands[-1]

    def unregister_cli_command(handle: Any) -> None:
        commands.remove(handle)
        unregister(handle)

    bpy.utils.register_cli_command = register_cli_command
    bpy.utils.unregister_cli_command = unregister_cli_command


def registered() -> dict[str, Any]:
    """Everything an add-on can leave behind in Blender."""
    handlers = {
        f"{name}: {getattr(handler, '__module__', '')}.{getattr(handler, '__name__', handler)}"
        for name in dir(bpy.app.handlers)
        if isinstance(found := getattr(bpy.app.handlers, name), list)
        for handler in found
    }
    kinds = (bpy.types.Scene, bpy.types.Object, bpy.types.WindowManager, bpy.types.Collection)
    return {
        "types": sorted(name for name in dir(bpy.types) if "likeness" in name.lower()),
        "operators": sorted(name for name in dir(bpy.ops) if "likeness" in name.lower()),
        "properties": [sorted(kind.bl_rna.properties.keys()) for kind in kinds],
        "handlers": sorted(handlers),
        "commands": len(commands),
        "addons": sorted(addon.module for addon in bpy.context.preferences.addons),
    }


def counts() -> dict[str, int]:
    """How many data-blocks of each kind there are."""
    found = ((name, getattr(bpy.data, name)) for name in dir(bpy.data))
    return {name: len(blocks) for name, blocks in found if isinstance(blocks, type(bpy.data.objects))}


def reconstruct(photo: str) -> dict[str, Any]:
    """Run the operator. Returns what it said and how the file's data-blocks changed."""
    before = counts()
    try:
        outcome = sorted(bpy.ops.likeness.reconstruct(filepath=photo, quality="DRAFT", texture_size="512"))
    except RuntimeError as error:
        outcome = str(error)
    return {"outcome": outcome, "added": {name: n - before[name] for name, n in counts().items() if n != before[name]}}


def main() -> dict[str, Any]:
    """The session."""
    package, interpreter, *photos = sys.argv[1:]
    count_commands()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    seen: dict[str, Any] = {"before": registered()}
    bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=False)
    start = time.perf_counter()
    bpy.ops.preferences.addon_enable(module=MODULE)
    seen["seconds_to_enable"] = time.perf_counter() - start
    seen["heavy_imports"] = [name for name in HEAVY if name in sys.modules]
    seen["enabled"] = registered()
    bpy.context.preferences.addons[MODULE].preferences.interpreter = interpreter
    seen["runs"] = [reconstruct(photo) for photo in photos]
    bpy.ops.preferences.addon_disable(module=MODULE)
    seen["after"] = registered()
    return seen


if __name__ == "__main__":
    print(json.dumps(main()))
    sys.stdout.flush()
    os._exit(0)
