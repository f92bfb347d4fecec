"""The zoo: one configuration per CNN, and the records of what was measured with it.

The folder lies beside the package and is imported as `keras_explainer.zoo` (`setup.py`
maps the name), from an installed package, editable or not. Nothing in it is code that
depends on a network's name: what differs between CNNs is data. It holds no entry yet.
"""

from __future__ import annotations

__all__: list[str] = []
