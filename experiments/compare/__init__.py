"""``tfadaopt compare``: methods side by side on a user's own problem."""
