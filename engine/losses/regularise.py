"""What keeps a fit plausible, and the papers' weights of all their losses."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class GanfitWeights:
    """Factors of the losses in equation 13 of Gecer et al., "Fast-GANFIT"; numbers from section 5.1.

    Attributes:
        identity: lambda_id, of `identity.cosine_distance`.
        random_identity: the same of the view with random expression, camera and light.
        content: lambda_con, of `identity.content_distance`.
        pixel: lambda_pix, of `photometric.pixel_distance`.
        landmark: lambda_lan, of `landmarks.landmark_distance`.
        shape, light: lambda_reg {0.05, 0.01}, of the squares of shape and expression, and of light: the paper gives two
            numbers for Reg({p_s,e, p_l}) and leaves it to the order which is whose.
    """

    identity: float = 2.0
    random_identity: float = 2.0
    content: float = 50.0
    pixel: float = 1.0
    landmark: float = 0.001
    shape: float = 0.05
    light: float = 0.01


@dataclass(frozen=True)
class JointDomainWeights:
    """Factors of the joint-domain paper's losses: section 4.1, and section 3.1 (4) for what is inside equation 7.

    Attributes:
        photometric: w_photo, of `photometric.photometric_loss`.
        wing: w_wing, of `landmarks.wing_loss`.
        perceptual: w_per, of `identity.cosine_distance`.
        regulariser: w_reg, of `joint_domain_regulariser`.
        frequency: of `frequency.frequency_loss`; the paper gives none, so that equation 15 stands as it is.
        identity, expression, texture, light: omega inside the regulariser. The third is called omega_shape in equation
            7, where it stands before delta, the texture of equation 1.
    """

    photometric: float = 3.0
    wing: float = 2.4e-3
    perceptual: float = 0.24
    regulariser: float = 4e-4
    frequency: float = 1.0
    identity: float = 1e-4
    expression: float = 0.8e-4
    texture: float = 1e-1
    light: float = 1e-2


def squares(parameters: Tensor) -> Tensor:
    """Sum of squares of each batch entry (Gecer et al., "Fast-GANFIT", section 2.2, equation 4): (B,...) to (B,).

    A sum as in the paper, where it runs over 158 shape and 29 expression components in standard deviations.
    """
    return parameters.flatten(1).square().sum(1)


def ganfit_regulariser(
    shape: Tensor, expression: Tensor, light: Tensor, weights: GanfitWeights | None = None
) -> Tensor:
    """lambda_reg Reg({p_s,e, p_l}) of equation 13, its factors in it.

    Args:
        shape, expression: (B,K), (B,E) standard deviations.
        light: (B,...) whatever describes the light, as a difference from the usual light (the paper's nine numbers have
            an offset, section 5.1).
        weights: None for the paper's.
    Returns:
        (B,), to be added to the other losses as it is.
    """
    weights = weights or GanfitWeights()
    return weights.shape * (squares(shape) + squares(expression)) + weights.light * squares(light)


def joint_domain_regulariser(
    identity: Tensor, expression: Tensor, texture: Tensor, light: Tensor, weights: JointDomainWeights | None = None
) -> Tensor:
    """L_reg of the joint-domain paper (section 3.1 (4), equation 7), the inner factors in it, not w_reg.

    Sums of squares as printed, over 80, 64, 80 and 9 numbers in the paper. As printed, too, identity and expression are
    held by 1e-4 x 4e-4 only: next to nothing.

    Args:
        identity, expression, texture: (B,K), (B,E), (B,T) standard deviations.
        light: (B,...) spherical harmonics' coefficients.
        weights: None for the paper's.
    Returns:
        (B,), to be multiplied by `JointDomainWeights.regulariser`.
    """
    weights = weights or JointDomainWeights()
    return (
        weights.identity * squares(identity)
        + weights.expression * squares(expression)
        + weights.texture * squares(texture)
        + weights.light * squares(light)
    )
