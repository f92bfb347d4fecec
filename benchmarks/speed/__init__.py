"""How fast each stage is, beside what the machine could do and what others do."""
