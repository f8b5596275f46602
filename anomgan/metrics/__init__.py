"""Figures that say how well a method does."""
