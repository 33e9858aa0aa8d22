"""Where an object stands while no take moves it: every take starts from there."""

from __future__ import annotations

import bpy
from mathutils import Matrix

from .curves import sheets_of
from .transaction import Transaction

HOME_KEY = "likeness_home"
"""Custom property of an object that a take moves: its own matrix before, 16 numbers in rows."""


def home_matrix(mover: bpy.types.Object) -> Matrix:
    """The object's own matrix while no take moves it."""
    if not is_moved(mover) or HOME_KEY not in mover:
        return mover.matrix_basis.copy()
    numbers = [float(number) for number in mover[HOME_KEY]]
    return Matrix([numbers[row : row + 4] for row in range(0, 16, 4)])


def is_moved(mover: bpy.types.Object) -> bool:
    """Whether an action moves the object as a whole."""
    return any(sheet.find("location") for sheet in sheets_of(mover))


def go_home(mover: bpy.types.Object, remember: bool, transaction: Transaction) -> None:
    """Put the object where it stood before a take moved it; remember that place if this one will."""
    home, before, mode, stored = home_matrix(mover), mover.matrix_basis.copy(), mover.rotation_mode, mover.get(HOME_KEY)

    def restore() -> None:
        mover.rotation_mode, mover.matrix_basis = mode, before
        if stored is None:
            mover.pop(HOME_KEY, None)

    transaction.on_failure(restore)
    if remember:
        mover[HOME_KEY] = [number for row in home for number in row]
        mover.rotation_mode = "XYZ"
    mover.matrix_basis = home
