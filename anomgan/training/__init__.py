"""The one training loop, which knows a small protocol and none of the methods."""
