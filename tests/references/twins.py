"""The twins of several arrays: one each, or one for all where the method needs all at once."""


class Twins:
    """Steps a list of arrays; what can be read of each is in lists, too."""

    def __init__(self, make, count):
        one = make()
        self.joint = one if getattr(one, "joint", False) else None
        self.each = [] if self.joint else [make() for _ in range(count)]

    def step(self, thetas, gs):
        if self.joint:
            return self.joint.step_all(thetas, gs)
        return [twin.step(theta, g) for twin, theta, g in zip(self.each, thetas, gs, strict=True)]

    @property
    def rates(self):
        if self.joint:
            return self.joint.effective_learning_rates
        return [twin.effective_learning_rate for twin in self.each]

    @property
    def directions(self):
        return self.joint.directions if self.joint else [twin.direction for twin in self.each]

    @property
    def accumulators(self):
        if self.joint:
            return self.joint.all_accumulators
        return [twin.accumulators for twin in self.each]
