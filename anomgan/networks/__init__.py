"""The backbone library: neural networks and nothing else."""
