"""Advice on photographs of good parts, before a detector learns from them."""

from anomgan.evaluation.check.check import Check, check_folder, glance
from anomgan.evaluation.check.plain import Finding

__all__ = ["Check", "Finding", "check_folder", "glance"]
