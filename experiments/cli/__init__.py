"""The command line ``tfadaopt``."""
