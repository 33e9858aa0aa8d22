"""Hair as an object of its own: its outline in the photo, a shell and locks over the scalp, their colour."""
