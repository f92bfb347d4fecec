"""Hostile files: what each reader of the package does with files that lie.

`python -m benchmarks.fuzz` makes cases by hypothesis from valid files, hands them to
the readers in a process of its own, and keeps what goes wrong. `tests/fuzz` runs a
short part of the same, and every case of the corpus.
"""
