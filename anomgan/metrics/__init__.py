"""Metrics of detectors and generators."""
