"""A map of all methods: for each sentence about what a method does, whether it does it."""
