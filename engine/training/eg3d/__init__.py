"""Pictures that EG3D draws, with depth and latents, to learn from."""
