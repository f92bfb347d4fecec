"""`Creatures`: drawn images of creatures, with the truth about every pixel."""

from .creature_images import CreatureImages
from .creatures import Creatures

__all__ = ["CreatureImages", "Creatures"]
