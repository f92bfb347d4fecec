"""Methods that find parts, side by side: `python -m benchmarks.parts --help`."""
