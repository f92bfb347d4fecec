"""Explaining a dataset: images a second, memory, and what a cluster would cost."""
