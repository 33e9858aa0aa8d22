"""From footage to an editable take: who is in it, what the face does in every frame, and files that carry it on."""
