"""Names of layers that are short enough to read."""

from collections.abc import Sequence


def short(paths: Sequence[str]) -> list[str]:
    """Paths without the parts that all of them begin with: the name of the model, as a rule.

    Example:
        >>> from tfadaopt.callbacks.names import short
        >>> short(["net/conv/kernel", "net/conv/bias", "net/out/kernel"])
        ['conv/kernel', 'conv/bias', 'out/kernel']
        >>> short(["net/out/kernel"])
        ['out/kernel']
    """
    parts = [path.split("/") for path in paths]
    # A layer and its variable stay in any case.
    most = min((len(names) for names in parts), default=0) - 2
    common = 0
    while common < most and len({names[common] for names in parts}) == 1:
        common += 1
    return ["/".join(names[common:]) for names in parts]
