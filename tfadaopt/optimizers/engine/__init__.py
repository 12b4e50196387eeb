"""How a rule is applied to the variables of a model: planned once, compiled where that pays."""
