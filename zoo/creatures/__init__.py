"""The `creatures` teacher: a small CNN for drawn creatures, and its record."""
