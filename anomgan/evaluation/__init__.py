"""Measures trained models against known truth: figures, benchmarks, tables, reports."""
