"""Training of the FastGANFit regressor."""
