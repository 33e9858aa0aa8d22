"""Analysis by synthesis: a head, its texture, camera and light, changed until its picture looks like the photo."""
