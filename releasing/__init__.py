"""How a version is released: ``python -m releasing`` is the checklist, and goes through it."""
