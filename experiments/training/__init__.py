"""A training run: the order of its data, where it goes on when it was killed, how it ends."""
