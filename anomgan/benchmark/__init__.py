"""Detectors against labelled data: cells that are run once, records, tables and curves."""
