"""What runs at an inspection line: inspector, scorer, watched folders and cameras, drift."""
