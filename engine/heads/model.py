"""The one layout in which every parametric head model is used: the bundled open head, FLAME, others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from .landmarks import Convention
    from .skinning import Values

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Points fixed on the surface.

    Attributes:
        faces: (N,) int32, index into `HeadModel.faces`; -1 where the model has no such point.
        barycentrics: (N,3) float32, weights of that triangle's corners, rows sum to 1.
    """

    faces: IntArray
    barycentrics: FloatArray

    @property
    def valid(self) -> BoolArray:
        """(N,) True where the point exists on this head."""
        return self.faces >= 0

    def positions(self, vertices: NDArray, triangles: IntArray) -> NDArray:
        """Points on the given vertices.

        Args:
            vertices: (...,V,3).
            triangles: (F,3).
        Returns:
            (...,N,3); rows of missing points are NaN.
        """
        corners = vertices[..., triangles[np.maximum(self.faces, 0)], :]
        points = np.einsum("...nck,nc->...nk", corners, self.barycentrics)
        points[..., ~self.valid, :] = np.nan
        return points


@dataclass(frozen=True)
class SlidingContour:
    """FLAME's contour, embedded anew for each degree of yaw.

    Attributes:
        faces: (79,17) int32, index into `HeadModel.faces`; rows 0 to 39 degrees, then -1 to -39.
        barycentrics: (79,17,3) float32.
    """

    faces: IntArray
    barycentrics: FloatArray


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A parametric head: metres, Y up, face to +Z, the neutral mean at rest.

    Arrays have no hash: models are the same only if they are one object, and may be keys of caches as such.

    Shapes: V vertices, F triangles, P polygons, T texture vertices, K identity components, E expressions, J joints.

    Attributes:
        name: registry name, for example "open".
        vertices: (V,3) mean neutral head.
        faces: (F,3) int32 triangles, counter-clockwise seen from outside.
        polygons: (P,4) int32 the modelling polygons (quads; triangles end with -1).
        uv: (T,2) float32, origin at the lower left, as in Blender.
        uv_faces: (F,3) int32 into `uv`, corner for corner as `faces`.
        uv_polygons: (P,4) int32 into `uv`, corner for corner as `polygons`.
        material_names: material slots, for example ("skin", "eye.L", "eye.R", "teeth", "tongue", "lashes").
        face_materials: (F,) int32 slot of each triangle.
        polygon_materials: (P,) int32 slot of each polygon.
        identity_basis: (K,V,3) displacement for one standard deviation of each component, metres.
        identity_std: (K,) standard deviation in metres that was folded into the basis (for display and export).
        asymmetry_start: components from this index on are the asymmetry group.
        expression_basis: (E,V,3) displacement at weight 1, metres.
        expression_names: (E,) names; the open head's are the 52 of ARKit.
        joint_names: (J,) names, parents before children.
        joint_parents: (J,) int32, -1 for the root.
        joints: (J,3) rest positions of the mean head.
        joint_identity_basis: (K,J,3) joint displacement for one standard deviation.
        skin_weights: (V,J) rows sum to 1.
        pose_correctives: ((J-1)*9,V,3) or None, FLAME's pose blend shapes.
        embeddings: points on the surface, by name: "mediapipe" (478), "ibug" (68); FLAME's files bring "mediapipe105"
            (105, in the file's order) and "ibug51" (51: all but the contour) as well.
        regions: named vertex masks (V,), among them "face".
        mirror: (V,) int32, the vertex at the mirrored place (itself on the midline).
        provenance: sources and licences, for reports.
        joint_expression_basis: (E,J,3) displacement of the rest joints at weight 1, or None where expressions leave
            them in place. FLAME's layers regress joints from the head with its expression.
        eyelid_basis: (2,V,3) displacement of the left and the right lid when shut, or None.
        contour: the contour that slides as the head turns, or None.
        published: the model with the expressions its owner gives it, where these are ARKit's units instead, or None.
    """

    name: str
    vertices: FloatArray
    faces: IntArray
    polygons: IntArray
    uv: FloatArray
    uv_faces: IntArray
    uv_polygons: IntArray
    material_names: tuple[str, ...]
    face_materials: IntArray
    polygon_materials: IntArray
    identity_basis: FloatArray
    identity_std: FloatArray
    asymmetry_start: int
    expression_basis: FloatArray
    expression_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    joint_parents: IntArray
    joints: FloatArray
    joint_identity_basis: FloatArray
    skin_weights: FloatArray
    embeddings: dict[str, LandmarkEmbedding]
    regions: dict[str, BoolArray]
    mirror: IntArray
    pose_correctives: FloatArray | None = None
    provenance: dict[str, str] = field(default_factory=dict)
    joint_expression_basis: FloatArray | None = None
    eyelid_basis: FloatArray | None = None
    contour: SlidingContour | None = None
    published: HeadModel | None = None

    def forward(
        self,
        shape: Values = None,
        expression: Values = None,
        global_pose: Values = None,
        neck_pose: Values = None,
        jaw_pose: Values = None,
        left_eye_pose: Values = None,
        right_eye_pose: Values = None,
        translation: Values = None,
        eyelids: Values = None,
    ) -> Tensor:
        """Shaped and posed heads, in torch; see `skinning.Controls` for the arguments.

        Returns:
            (N,V,3) metres, in the type and on the device of the first tensor given; differentiable.
        Raises:
            EngineError: an argument has the wrong shape, more coefficients than the model, or the model cannot do it.
        """
        from .skinning import Controls, pose

        return pose(
            self,
            Controls(
                shape, expression, global_pose, neck_pose, jaw_pose, left_eye_pose, right_eye_pose, translation, eyelids
            ),
        ).vertices

    def landmarks(
        self,
        shape: Values = None,
        expression: Values = None,
        global_pose: Values = None,
        neck_pose: Values = None,
        jaw_pose: Values = None,
        left_eye_pose: Values = None,
        right_eye_pose: Values = None,
        translation: Values = None,
        eyelids: Values = None,
        *,
        scheme: str = "ibug68-static",
        convention: Convention | None = None,
    ) -> Tensor:
        """Landmarks of shaped and posed heads, in torch.

        Args:
            scheme: "ibug68-static", "ibug68-dynamic" or "mediapipe", see `landmarks.landmarks`. The 68 are 17 of the
                contour, then 51.
            convention: how the sliding contour is placed; None is SMIRK's and DECA's.
        Returns:
            (N,68,3), or (N,105,3) or (N,478,3) for "mediapipe"; metres.
        Raises:
            EngineError: as `forward`, or the model lacks the scheme.
        """
        from .landmarks import SMIRK, landmarks
        from .skinning import Controls

        controls = Controls(
            shape, expression, global_pose, neck_pose, jaw_pose, left_eye_pose, right_eye_pose, translation, eyelids
        )
        return landmarks(self, controls, scheme, convention or SMIRK)

    def shape(self, identity: NDArray, expression: NDArray | None = None) -> FloatArray:
        """Vertices of an identity, neutral or with expression, at rest pose.

        Args:
            identity: (K,) in standard deviations.
            expression: (E,) weights 0..1, or None for neutral.
        Returns:
            (V,3) metres.
        """
        vertices = self.vertices + np.tensordot(identity, self.identity_basis, 1)
        if expression is not None:
            vertices = vertices + np.tensordot(expression, self.expression_basis, 1)
        return vertices.astype(np.float32)

    def joint_positions(self, identity: NDArray) -> FloatArray:
        """(J,3) rest joints of an identity, metres."""
        return (self.joints + np.tensordot(identity, self.joint_identity_basis, 1)).astype(np.float32)
