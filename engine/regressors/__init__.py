"""Networks that give a head's parameters in one pass: FastGANFit, where a fit may start or end."""
