"""What ``tfadaopt run`` can run, by name."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from tfadaopt.experiments import configs
from tfadaopt.experiments.trial import registry


@dataclass(frozen=True)
class Experiment:
    """Something to run: its configuration, and where its code is.

    Attributes:
        name: Its name on the command line.
        summary: What it shows, in one line.
        config: Returns its settings.
        module: Module with its function ``run``, imported only when it is run.
        claims: Names of the claims it puts on trial.
    """

    name: str
    summary: str
    config: Callable[[], object]
    module: str
    claims: tuple[str, ...] = ()

    def run(self, *args, **kwargs):
        """Run it; its module is imported only now."""
        run = importlib.import_module(self.module).run
        return run(self.name, self.claims, *args, **kwargs) if self.claims else run(*args, **kwargs)


def experiments() -> tuple[Experiment, ...]:
    """Return all experiments; each claim is one of its own, and all claims together are another."""
    entries = registry.entries()
    trial = "tfadaopt.experiments.trial.run"
    return (
        Experiment(
            "lecture",
            _first_line(configs.lecture),
            configs.lecture,
            "tfadaopt.experiments.lecture.run",
        ),
        Experiment(
            "claims",
            _first_line(configs.claims),
            configs.claims,
            trial,
            claims=tuple(entry.name for entry in registry.entries_of("claims")),
        ),
        Experiment(
            "network-claims",
            _first_line(configs.network_claims),
            configs.network_claims,
            trial,
            claims=tuple(entry.name for entry in registry.entries_of("network-claims")),
        ),
        *(
            Experiment(
                entry.name,
                entry.summary,
                configs.claims,
                trial,
                claims=(entry.name,),
            )
            for entry in entries
        ),
    )


def find(name: str) -> Experiment:
    """Return the experiment of that name.

    Raises:
        ConfigError: There is none; the message lists those there are, and the nearest.
    """
    known = {experiment.name: experiment for experiment in experiments()}
    if name not in known:
        hint = configs.nearest(name, list(known))
        raise configs.ConfigError(f"Unknown experiment {name!r}.{hint}")
    return known[name]


def _first_line(function: Callable) -> str:
    return (function.__doc__ or "").splitlines()[0]
