"""Each sentence of the lecture as an experiment with a verdict: ``tfadaopt run claims``."""
