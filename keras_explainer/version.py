"""The version, stated once: `setup.py` and the package read it from here."""

__version__ = "0.1.0"
