"""The lecture, slide by slide: its sentences, and the claims that put each of them on trial."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """What a slide says, and the claims that try it.

    Attributes:
        claims: Names of the claims, each a reading of it.
        sentence: The lecture's own words, verbatim with "…" for what is left out; or None where
            the slide has a topic and no sentence, or the lecture does not say it at all.
    """

    claims: tuple[str, ...]
    sentence: str | None = None


@dataclass(frozen=True)
class Slide:
    """A topic with its statements, in the order of the lecture."""

    topic: str
    statements: tuple[Statement, ...]


SLIDES = (
    Slide(
        "Challenges: local minima, plateaus, cliffs, vanishing gradients",
        (Statement(("claim-challenges",)),),
    ),
    Slide(
        "Stochastic gradient descent",
        (Statement(("claim-minibatch-mean",), "g_t = (1/n) Σ ∇L(W_t, X)"),),
    ),
    Slide(
        "Momentum",
        (Statement(("claim-zigzag", "claim-ravine"), "SGD / SGD with Momentum"),),
    ),
    Slide(
        "Momentum and Nesterov: hyper-parameters",
        (
            Statement(("claim-momentum-rate",), "These hyper-parameters decide the learning rate"),
            Statement(
                ("claim-hand-tuning",),
                "Both the algorithms require the hyper-parameters to be set manually.",
            ),
        ),
    ),
    Slide(
        "One learning rate for all dimensions",
        (
            Statement(
                ("claim-one-rate",),
                "The algorithm uses same learning rate for all dimensions.",
            ),
            Statement(("claim-network-layers",), "different sensitivity on different dimension"),
            Statement(("claim-stability-limits",), "small in some dimension and large in another"),
            Statement(
                ("claim-sensitivity",),
                "the non-convex nature may lead to different sensitivity",
            ),
        ),
    ),
    Slide(
        "Adagrad",
        (
            Statement(
                ("claim-own-rates", "claim-rotation"),
                "Adagrad adaptively scales the learning rate for different dimensions.",
            ),
            Statement(
                ("claim-scale-factor",),
                "Scale factor … inversely proportional to the square root …",
            ),
            Statement(
                ("claim-steep-and-flat",),
                "largest partial derivative … will have rapid decrease",
            ),
            Statement(
                ("claim-small-derivatives",),
                "Parameters with small partial derivatives … relatively small decrease",
            ),
            Statement(
                ("claim-decay-alike",),
                "Reduces learning rate faster for … large slope",
            ),
        ),
    ),
    Slide(
        "Adagrad: advantages",
        (
            Statement(
                ("claim-no-tuning", "claim-network-tuning"),
                "Adagrad eliminates the need to manually tune the learning rate.",
            ),
            Statement(
                ("claim-convex", "claim-regret"),
                "Adagrad converges rapidly when applied to convex functions.",
            ),
        ),
    ),
    Slide(
        "Adagrad: limitations",
        (
            Statement(
                ("claim-terrains",),
                "trajectory may pass through many complex terrains",
            ),
            Statement(("claim-convex-region",), "locally [convex] region"),
            Statement(
                ("claim-plateau", "claim-network-stall"),
                "learning rate may become too small due to the accumulation",
            ),
            Statement(
                ("claim-stop-learning", "claim-low-precision"),
                "So at some point the model may stop learning.",
            ),
        ),
    ),
)

BEYOND = (
    Slide(
        "Momentum, Nesterov's method, cautious steps",
        (
            Statement(("claim-terminal-velocity",)),
            Statement(("claim-momentum-noise",)),
            Statement(("claim-nesterov-cycle",)),
            Statement(("claim-nesterov-forms",)),
            Statement(("claim-cautious-steps",)),
        ),
    ),
    Slide(
        "Adagrad's scale and schedule",
        (
            Statement(("claim-scale-free",)),
            Statement(("claim-root-of-time",)),
            Statement(("claim-network-decay",)),
        ),
    ),
    Slide("Saddle points", (Statement(("claim-saddle",)),)),
    Slide(
        "Rare features",
        (Statement(("claim-sparse-features",)), Statement(("claim-sparse-words",))),
    ),
    Slide(
        "RMSProp, Adam and what came after",
        (
            Statement(("claim-short-memory",)),
            Statement(("claim-long-memory",)),
            Statement(("claim-rare-gradients",)),
        ),
    ),
    Slide("Generalization", (Statement(("claim-generalization",)),)),
)
