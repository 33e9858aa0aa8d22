"""Optimising with a net below: the best so far is kept, and steps that end in no numbers are taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import EngineError

MOST_FAILURES = 5
"""Steps that may be taken back before it is given up."""
Loss = Callable[[], tuple[Tensor, float]]
"""What is minimised, and the number by which states are compared."""


class Descent:
    """Adam on named tensors.

    Args:
        named: leaves that ask for gradients; changed in place.
    Attributes:
        step: taken so far. losses: by which states are compared, of each step.
        best: a copy of the tensors at the least of them. best_loss: that loss.
        failures: steps that were taken back.
    """

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        self.named = dict(named)
        self.step, self.failures, self.best_loss, self.slower = 0, 0, float("inf"), 1.0
        self.losses: list[float] = []
        self.best = self._copy()
        self._adam = self._fresh()

    def _fresh(self) -> torch.optim.Adam:
        return torch.optim.Adam(list(self.named.values()), lr=0.0)

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.named.items()}

    @torch.no_grad()
    def restore(self) -> None:
        """Back to the best."""
        for name, value in self.named.items():
            value.copy_(self.best[name])

    def forget(self) -> None:
        """Compare only what follows: losses before were of something else."""
        self.best_loss = float("inf")

    def take(self, loss: Loss, rate: float) -> bool:
        """One step at a learning rate; False if it was taken back, to the best so far and half the rate from here on.

        Raises:
            EngineError: too many were.
        """
        self._adam.zero_grad(set_to_none=True)
        objective, measure = loss()
        sound = bool(torch.isfinite(objective))
        if sound:
            objective.backward()
            sound = all(v.grad is None or bool(torch.isfinite(v.grad).all()) for v in self.named.values())
        if not sound:
            self._fail()
            return False
        if measure < self.best_loss:
            self.best_loss, self.best = measure, self._copy()
        for group in self._adam.param_groups:
            group["lr"] = rate * self.slower
        self._adam.step()
        self.step += 1
        self.losses.append(measure)
        return True

    def _fail(self) -> None:
        self.failures += 1
        if self.failures > MOST_FAILURES:
            raise EngineError(
                "The inversion ended in no numbers again and again.", "Use smaller learning rates or another photo."
            )
        self.restore()
        self.slower /= 2
        self._adam = self._fresh()

    def packed(self) -> dict[str, Any]:
        """Everything that goes on from here needs, as tensors and plain types."""
        return {
            "named": self._copy(), "best": self.best, "best_loss": self.best_loss, "step": self.step,
            "failures": self.failures, "slower": self.slower, "losses": self.losses, "adam": self._adam.state_dict(),
        }  # fmt: skip

    @torch.no_grad()
    def unpack(self, state: Mapping[str, Any]) -> None:
        """Go on from what `packed` gave.

        Raises:
            KeyError, ValueError, RuntimeError: it is of something else.
        """
        if set(state["named"]) != set(self.named):
            raise ValueError("other tensors")
        for name, value in self.named.items():
            value.copy_(state["named"][name])
        self.best = {name: state["best"][name].to(value) for name, value in self.named.items()}
        self.best_loss, self.step, self.failures = state["best_loss"], state["step"], state["failures"]
        self.slower, self.losses = state["slower"], list(state["losses"])
        self._adam.load_state_dict(state["adam"])
