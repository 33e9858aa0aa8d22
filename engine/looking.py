"""One look at one face: from a photo that was read to what a head is fitted to, and to the fit.

Every job that needs a head from a photo goes this way, so with the same options all of them fit the same head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .fitting.brought import Start
from .fitting.brought import look as ask_regressor
from .fitting.recognised import RecognisedFace, recognise
from .fitting.sighting import Sighting, gather
from .fitting.solve import Problem, fit_head, state_problem
from .models.registry import PARTS_OWN
from .perception.landmarks import find_face
from .perception.masks import make_masks
from .perception.observation import FaceObservation, Masks
from .perception.seeing import NetworkView, see_face

if TYPE_CHECKING:
    from .fitting.result import HeadFit
    from .heads.model import HeadModel
    from .media.photo import Photo
    from .options import ReconstructOptions
    from .progress import Progress


@dataclass(frozen=True, eq=False)
class FaceLook:
    """A face in a photo, as everything in the engine sees it. What takes long is worked out when first asked for.

    Attributes:
        head: the model that is to be fitted.
        options: `points`, `start`, `quality`, `focal_length_px`, `model_folder` and `device` are used.
        face: as MediaPipe found it.
        view: what the engine's own networks saw; without points and parts where they were not asked.
    """

    head: HeadModel
    photo: Photo
    options: ReconstructOptions
    face: FaceObservation
    view: NetworkView

    @cached_property
    def masks(self) -> Masks:
        """Where skin, hair and the rest are."""
        return make_masks(self.photo, self.face, self.view.parts)

    @cached_property
    def known(self) -> RecognisedFace:
        """Who it is, and what that says of the shape."""
        return recognise(self.head, self.photo.pixels, self.face.landmarks)

    @cached_property
    def sighting(self) -> Sighting:
        """The points that are fitted to. ModelFileError: the points network's calibration is missing."""
        return gather(self.head, self.face, self.view.points, self.options.points)

    @cached_property
    def start(self) -> Start | None:
        """What a regressor of the user's says. ModelFileError: its file is missing or damaged."""
        return ask_regressor(self.head, self.photo.pixels, self.face.landmarks, self.options)

    def problem(self) -> Problem:
        """The fit that is to be solved, for those who solve it together with others."""
        scores, belief, start = self.face.blendshapes, self.known.belief, self.start
        if start is not None:
            scores, belief = start.with_scores(scores), start.belief() or belief
        focal = self.options.focal_length_px or self.photo.focal_length_px
        return state_problem(self.head, self.sighting, self.photo.width, self.photo.height, focal, scores, belief)

    def fit(self, progress: Progress) -> HeadFit:
        """The head in this photo alone."""
        return fit_head(
            self.head, self.face, self.photo, self.options, progress, self.sighting, self.known.belief, self.start
        )


def look_at_face(
    head: HeadModel,
    photo: Photo,
    options: ReconstructOptions,
    face: FaceObservation | None = None,
    networks: bool = True,
) -> FaceLook:
    """Look at one face of a photo.

    Args:
        options: `face_index` says which face.
        face: where it was found already.
        networks: let the engine's own networks look, too.
    Raises:
        FaceError: there is no face, or none that can be used.
        ModelFileError: MediaPipe cannot be used.
    """
    if face is None:
        face = find_face(photo, options.face_index, options.model_folder)
    view = see_face(photo.pixels, face, PARTS_OWN.find(options.model_folder)) if networks else NetworkView(None, None)
    return FaceLook(head, photo, options, face, view)
