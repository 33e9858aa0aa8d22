"""A running average of a network's weights, which sees better than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of all of a network's state, batch normalisation's statistics included.

    Args:
        model: whose weights it starts with and follows; it stays on its device.
        decay: what is kept of the average at every step; less in the first steps, which are not worth remembering.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        live = model.state_dict()
        pairs = [(self.state[name], value.detach()) for name, value in live.items()]
        self._smooth = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step` steps (the first is 1)."""
        weight = 1.0 - min(self.decay, step / (9.0 + step))
        means, values = zip(*self._smooth, strict=True)
        # One launch for all, as torch's own averages do it.
        torch._foreach_lerp_(means, values, weight)  # pyright: ignore[reportPrivateImportUsage]
        for count, value in self._counts:
            count.copy_(value)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put the average into the network while the block runs, and it into evaluation mode; then back as it was."""
        own = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        training = self.model.training
        self.model.load_state_dict(self.state)
        self.model.eval()
        try:
            yield
        finally:
            self.model.load_state_dict(own)
            self.model.train(training)

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over a saved average.

        Raises:
            KeyError, RuntimeError: it is another network's.
        """
        for name, value in self.state.items():
            value.copy_(state[name])
