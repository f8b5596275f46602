"""What runs on an inspection line: inspector, scorer, watched folders, drift, results tables."""
