"""The little model of the tests, which ``tfadaopt.testing`` trains too."""

from tfadaopt.testing.models import BATCH, X, Y, fit, make_model

__all__ = ["BATCH", "X", "Y", "fit", "make_model"]
