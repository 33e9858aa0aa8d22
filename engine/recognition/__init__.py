"""Face recognition networks: who is in a picture, as numbers that losses and comparisons can use."""
