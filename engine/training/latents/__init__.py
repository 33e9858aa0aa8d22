"""Training the networks that guess EG3D's latents from a picture."""
