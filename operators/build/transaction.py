"""All or nothing: data-blocks of a build that fails half-way are taken away again."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import bpy

Block = TypeVar("Block", bound=bpy.types.ID)


class Transaction:
    """Remembers what a build has created, and undoes it if the `with` block raises.

    Use `add` on every new data-block at once, and `on_failure` for every change to what was there before.
    """

    def __init__(self) -> None:
        self._blocks: list[bpy.types.ID] = []
        self._repairs: list[Callable[[], object]] = []

    def add(self, block: Block) -> Block:
        """Remember a new data-block; returns it."""
        self._blocks.append(block)
        return block

    def on_failure(self, repair: Callable[[], object]) -> None:
        """Call `repair` if the build fails, latest first, before the data-blocks go."""
        self._repairs.append(repair)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        for repair in reversed(self._repairs):
            repair()
        # Shape keys go with their mesh; objects go before their data so that nothing is left without a user.
        blocks = sorted(self._blocks, key=lambda block: not isinstance(block, bpy.types.Object))
        bpy.data.batch_remove(blocks)
