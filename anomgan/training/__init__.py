"""The training loop of all methods. It depends on the protocol `Recipe`, not on any method."""
