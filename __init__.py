"""Likeness: one photo becomes a rigged, textured, animatable head."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from .ui import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    from .ui import registration

    registration.unregister()
