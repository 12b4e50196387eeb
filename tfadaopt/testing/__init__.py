"""Contracts for an optimizer of your own: ``tfadaopt.testing.check_optimizer(MyOptimizer)``.

They are those that tfadaopt's own tests hold every method to, and need no test framework: call
``check_optimizer`` in a test, a notebook or a shell.
"""

from tfadaopt.testing.check import CONTRACTS, ContractError, Outcome, Report, check_optimizer

__all__ = ["CONTRACTS", "ContractError", "Outcome", "Report", "check_optimizer"]
