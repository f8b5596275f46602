"""What measures a trained model against known truth: figures, benchmarks, tables, reports."""
