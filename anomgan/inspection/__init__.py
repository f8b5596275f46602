"""The jobs that people run: fit to a folder, score a batch, describe a model, the demo."""
