"""The list of photos of one person, drawn on a layout that checks every property and operator it is given."""

from __future__ import annotations

import bpy
import pytest
from likeness.operators import several
from likeness.ui import panels, several_panel, thumbnail

from tests.ui.test_panels import draw

BUTTON = "button likeness.reconstruct_several"


def listed(*photos):
    """Put photos on the list."""
    several.add_photos(bpy.context.scene.likeness_several.photos, photos)
    return bpy.context.scene.likeness_several.photos


def picture(path):
    """A picture that Blender can show."""
    image = bpy.data.images.new(path.stem, 8, 4)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return path


def test_first_look(extension):
    notes = draw(several_panel.LIKENESS_PT_several)
    assert BUTTON in notes
    assert "Add photos of one person, or drop several here" in notes
    assert "button Clear" not in notes


def test_each_photo_has_its_picture_switch_and_cross(extension, tmp_path):
    photos = listed(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"), tmp_path / "gone.png")
    notes = draw(several_panel.LIKENESS_PT_several)
    assert notes.count("thumbnail") == 2
    assert notes.count("prop use") == notes.count("button likeness.remove_photo") == 3
    assert [note for note in notes if note.endswith(".png")] == ["a.png", "b.png", "gone.png"]
    assert "The file is not there" in notes
    assert "button Clear" in notes
    assert thumbnail.thumbnail_of(tmp_path / "a.png") is thumbnail.thumbnail_of(tmp_path / "a.png")
    for photo in photos:
        photo.use = False
    assert "Add photos of one person, or drop several here" in draw(several_panel.LIKENESS_PT_several)


def test_what_became_of_each_photo_and_the_cameras(extension, photo):
    listed(photo("good-front"), photo("good-left"), photo("noface-wall"))
    bpy.ops.likeness.reconstruct_several()
    text = " ".join(draw(several_panel.LIKENESS_PT_several))
    assert "No face was found in" in text
    assert "seen from the front" in text
    assert "portrait: photos" in text
    assert "button portrait Camera button good-left Camera" in text


def test_progress_replaces_only_its_own_button(extension, photo):
    job = several.start_several(bpy.context, [photo("slow"), photo("good")], bpy.context.scene.likeness)
    notes, others = draw(several_panel.LIKENESS_PT_several), draw(panels.LIKENESS_PT_reconstruct)
    job.cancel(wait=True)
    assert "progress Starting the engine" in notes
    assert BUTTON not in notes
    assert "button likeness.reconstruct" in others
    assert "progress Starting the engine" not in others


def test_error_is_shown_here_and_not_beside_the_single_photo(extension, photo):
    listed(photo("noface"))
    with pytest.raises(RuntimeError, match="No face"):
        bpy.ops.likeness.reconstruct_several()
    assert "No face was found" in " ".join(draw(several_panel.LIKENESS_PT_several))
    assert "No face was found" not in " ".join(draw(panels.LIKENESS_PT_reconstruct))
