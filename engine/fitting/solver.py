"""Levenberg-Marquardt for pose, focal length and bounded linear coefficients, with analytic Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .points import PointModel

Array = NDArray[np.float64]
CAMERA_PARAMETERS = 8  # rotation 3, translation 3, log focal length and distance together (dolly zoom), depth offset
DEPTH_OFFSET_DEVIATION = 0.3  # metres; where the detector puts depth zero is its own affair


@dataclass(frozen=True)
class Evidence:
    """Points seen by a detector.

    Attributes:
        observed: (N,3) x, y, relative depth, pixels.
        deviation: (N,3) standard deviation of each, metres at the head; infinite where a point says nothing.
        metres_per_pixel: at the head's distance; fixed, so that the objective is.
        center: (2,) principal point, pixels.
        focal: expected focal length, pixels.
        focal_deviation: of its logarithm; 0 keeps it fixed.
        freedom: degrees of freedom of the Student-t noise of a point; small distrusts outliers more.
    """

    observed: Array
    deviation: Array
    metres_per_pixel: float
    center: Array
    focal: float
    focal_deviation: float = 0.0
    freedom: float = 8.0


@dataclass(frozen=True)
class State:
    """What is solved for.

    Attributes:
        rotation: (3,3) head to camera.
        translation: (3,) metres.
        focal: pixels.
        depth_offset: metres.
        values: (P,) coefficients of the point model.
    """

    rotation: Array
    translation: Array
    focal: float
    depth_offset: float
    values: Array


@dataclass(frozen=True)
class Solution:
    """A solved state with its objective, robust weights (N,) and the normal matrix (8+P,8+P) at the end."""

    state: State
    cost: float
    weights: Array
    normal: Array


def rotation_matrix(vector: NDArray) -> Array:
    """Rodrigues: (3,) rotation vector to (3,3)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle if angle > 1e-12 else np.zeros(3)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def predict(model: PointModel, evidence: Evidence, state: State) -> tuple[Array, Array]:
    """What the detector should report, (N,3) in metres at the head, and the points in camera space (N,3)."""
    points = model.positions(state.values) @ state.rotation.T + state.translation
    scale = evidence.metres_per_pixel
    image = state.focal * points[:, :2] / points[:, 2:] + evidence.center
    depth = (points[:, 2] - state.translation[2]) * (scale * state.focal / state.translation[2])
    seen = np.column_stack([image * scale, depth + state.depth_offset])
    return seen + model.errors(state.values) @ state.rotation.T, points


def jacobian(model: PointModel, evidence: Evidence, state: State, points: Array) -> Array:
    """(N,3,8+P) derivative of `predict` by rotation (from the left), translation, dolly zoom, depth offset, values."""
    count, scale = len(points), evidence.metres_per_pixel * state.focal
    motion = np.zeros((count, 3, CAMERA_PARAMETERS + len(model.basis)))
    arm = points - state.translation
    motion[:, :, :3] = _turning(arm)
    motion[:, :, 3:6] = np.eye(3)
    motion[:, :, CAMERA_PARAMETERS:] = _turned(model.basis, state.rotation)

    inverse = 1.0 / points[:, 2:]
    slope = points[:, :2] * inverse
    result = np.empty_like(motion)
    result[:, :2] = (motion[:, :2] - slope[:, :, None] * motion[:, 2:]) * (scale * inverse)[:, :, None]
    enlargement = scale / state.translation[2]
    result[:, 2] = motion[:, 2] * enlargement
    result[:, 2, 5] = -arm[:, 2] * enlargement / state.translation[2]  # depth is relative to the head's own
    # A longer lens from further away: size stays, only perspective changes, which the other coordinates hardly imitate.
    result[:, :2, 6] = slope * scale + result[:, :2, 5] * state.translation[2]
    result[:, 2, 7] = 1.0
    result[:, :, :3] += _turning(model.errors(state.values) @ state.rotation.T)
    result[:, :, CAMERA_PARAMETERS:] += _turned(model.error_basis, state.rotation)
    return result


def _turning(arm: Array) -> Array:
    """(N,3,3) derivative of rotated points by a further rotation, for the points (N,3)."""
    matrix = np.zeros((len(arm), 3, 3))
    matrix[:, 0, 1], matrix[:, 0, 2] = arm[:, 2], -arm[:, 1]
    matrix[:, 1, 0], matrix[:, 1, 2] = -arm[:, 2], arm[:, 0]
    matrix[:, 2, 0], matrix[:, 2, 1] = arm[:, 1], -arm[:, 0]
    return matrix


def _turned(basis: Array, rotation: Array) -> Array:
    """(N,3,P) of a basis (P,N,3) under a rotation."""
    return np.moveaxis(basis @ rotation.T, 0, 2)


def moved(state: State, step: NDArray) -> State:
    """The state after a step (8+P,)."""
    dolly = float(np.exp(step[6]))
    return State(
        rotation_matrix(step[:3]) @ state.rotation,
        (state.translation + step[3:6]) * [1.0, 1.0, dolly],
        state.focal * dolly,
        state.depth_offset + float(step[7]),
        state.values + step[CAMERA_PARAMETERS:],
    )


def objective(model: PointModel, evidence: Evidence, state: State) -> tuple[float, Array, Array]:
    """Negative log posterior up to a constant, robust weights (N,), and residuals (N,3) in standard deviations."""
    predicted, _ = predict(model, evidence, state)
    residual = (predicted - evidence.observed * evidence.metres_per_pixel) / evidence.deviation
    square, freedom = np.sum(residual**2, axis=1), evidence.freedom
    weights = (freedom + 3.0) / (freedom + square)
    offset = state.values - model.prior.mean
    cost = 0.5 * (freedom + 3.0) * float(np.log1p(square / freedom).sum())
    cost += 0.5 * float(offset @ model.prior.precision @ offset)
    cost += 0.5 * (state.depth_offset / DEPTH_OFFSET_DEVIATION) ** 2
    if evidence.focal_deviation > 0:
        cost += 0.5 * (np.log(state.focal / evidence.focal) / evidence.focal_deviation) ** 2
    return cost, weights, residual


def normal_equations(model: PointModel, evidence: Evidence, state: State) -> tuple[Array, Array, float, Array]:
    """Gauss-Newton matrix (8+P,8+P), gradient (8+P,), cost and robust weights at a state."""
    cost, weights, residual = objective(model, evidence, state)
    _, points = predict(model, evidence, state)
    root = np.sqrt(weights)[:, None]
    whitened = (jacobian(model, evidence, state, points) * (root / evidence.deviation)[:, :, None]).reshape(
        residual.size, -1
    )
    normal = whitened.T @ whitened
    gradient = whitened.T @ (residual * root).ravel()
    normal[CAMERA_PARAMETERS:, CAMERA_PARAMETERS:] += model.prior.precision
    gradient[CAMERA_PARAMETERS:] += model.prior.precision @ (state.values - model.prior.mean)
    normal[7, 7] += DEPTH_OFFSET_DEVIATION**-2
    gradient[7] += state.depth_offset * DEPTH_OFFSET_DEVIATION**-2
    if evidence.focal_deviation > 0:
        normal[6, 6] += evidence.focal_deviation**-2
        gradient[6] += np.log(state.focal / evidence.focal) * evidence.focal_deviation**-2
    return normal, gradient, cost, weights


def bounded_step(normal: Array, gradient: Array, lower: Array, upper: Array, rounds: int = 8) -> Array:
    """Minimise the quadratic over a box around zero by an active set: (D,) step.

    A coordinate that would leave its box is held at the wall and the rest solved again, until none leaves.
    """
    step = np.zeros(len(gradient))
    free = upper - lower > 0
    for _ in range(rounds):
        wall = np.where(free, 0.0, step)
        target = -(gradient + normal @ wall)[free]
        step = wall
        step[free] = np.linalg.solve(normal[np.ix_(free, free)], target)
        outside = free & ((step < lower) | (step > upper))
        if not outside.any():
            return step
        step = np.clip(step, lower, upper)
        free &= ~outside
    return np.clip(step, lower, upper)


def solve(
    model: PointModel,
    evidence: Evidence,
    state: State,
    iterations: int = 20,
    tolerance: float = 1e-5,
    check: Callable[[], None] = lambda: None,
) -> Solution:
    """Minimise the objective over the camera and all coefficients of the model.

    Args:
        model, evidence, state: the problem and where to start.
        iterations: at most so many steps.
        tolerance: stop when a step lowers the cost by less than this fraction.
        check: called before each step; may raise to cancel.
    """
    state = replace(state, values=np.clip(state.values, model.prior.lower, model.prior.upper))
    moving = np.ones(CAMERA_PARAMETERS + len(model.basis), dtype=bool)
    moving[6] = evidence.focal_deviation > 0
    damping = 1e-4
    normal, gradient, cost, weights = normal_equations(model, evidence, state)
    for _ in range(iterations):
        check()
        room = np.full((2, len(moving)), np.inf)
        room[0, CAMERA_PARAMETERS:] = state.values - model.prior.lower
        room[1, CAMERA_PARAMETERS:] = model.prior.upper - state.values
        damped = normal + np.diag(damping * np.diag(normal) + 1e-12)
        step = np.zeros(len(moving))
        step[moving] = bounded_step(damped[np.ix_(moving, moving)], gradient[moving], -room[0, moving], room[1, moving])
        candidate = moved(state, step)
        if objective(model, evidence, candidate)[0] >= cost:
            damping *= 10.0
            if damping > 1e6:
                break
            continue
        before, state, damping = cost, candidate, max(damping * 0.1, 1e-9)
        normal, gradient, cost, weights = normal_equations(model, evidence, state)
        if before - cost < tolerance * abs(before):
            break
    return Solution(state, cost, weights, normal)


def solve_part(
    model: PointModel,
    evidence: Evidence,
    state: State,
    groups: tuple[str, ...],
    iterations: int = 20,
    tolerance: float = 1e-5,
    check: Callable[[], None] = lambda: None,
) -> Solution:
    """As `solve`, over the camera and the named groups of coefficients; the others keep their values."""
    part, index = model.part(groups, state.values)
    solution = solve(part, evidence, replace(state, values=state.values[index]), iterations, tolerance, check)
    values = state.values.copy()
    values[index] = solution.state.values
    return replace(solution, state=replace(solution.state, values=values))
