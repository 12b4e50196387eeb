"""What Optuna proposes, without the tables of pandas that a report can do without."""

from collections.abc import Iterator, Mapping
from typing import Any

from tfadaopt.experiments.configs import ConfigError


def proposed_rates(
    scores: Mapping[float, float], default: float, trials: int, known_at_once: int
) -> Iterator[float]:
    """Yield learning rates that TPE proposes; ``scores`` grows meanwhile.

    The first is the default of a method, those before ``known_at_once`` are drawn at random, from
    0.001 to 1,000 times the default; less is better.

    Raises:
        ConfigError: Optuna is not installed.
    """
    optuna = imported()
    sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=known_at_once)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({"rate": default})
    among = optuna.distributions.FloatDistribution(default / 1e3, default * 1e3, log=True)
    tried: set[float] = set()
    # Rates have three digits: where one comes again, it is known what it comes to.
    for _ in range(3 * trials):
        trial = study.ask({"rate": among})
        rate = float(f"{trial.params['rate']:.3g}")
        if rate not in tried:
            tried.add(rate)
            if rate not in scores:
                yield rate
        study.tell(trial, scores[rate])
        if len(tried) == trials:
            return


def imported() -> Any:
    """Return Optuna.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "Tuning by Optuna needs it, and it is not installed. Install it with: pip install "
            "'tfadaopt[optuna]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
