"""A claim of the lecture on trial: its rules, its run and its page."""
