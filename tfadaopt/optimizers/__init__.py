"""One optimizer class per file; ``tfadaopt`` itself offers them all by name."""
