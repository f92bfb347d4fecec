"""What contributions, presence and names are worth, and what they cost."""
