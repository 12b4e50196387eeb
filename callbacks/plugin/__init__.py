"""TensorBoard's tab "Optimizer": the entry point, which must load whatever else is broken.

TensorBoard imports this module each time it starts, and stops if that fails. So it needs nothing
but TensorBoard itself; what the tab shows is imported when TensorBoard asks for it, and an error
there costs the tab alone.
"""

from tensorboard.plugins import base_plugin

from tfadaopt.callbacks.log_format import PLUGIN


class Loader(base_plugin.TBLoader):
    """Gives TensorBoard the tab, and keeps all steps of its data."""

    def fix_flags(self, flags) -> None:
        """Turn off the sampling of steps, unless the user asked for a number of them.

        TensorBoard keeps 100 random steps of what a plugin reads, 10 under ``--load_fast=false``.
        """
        samples = getattr(flags, "samples_per_plugin", None)
        if not samples:
            flags.samples_per_plugin = {PLUGIN: 0}
        elif isinstance(samples, dict):
            samples.setdefault(PLUGIN, 0)

    def load(self, context):
        """Make the tab; TensorBoard reports what this raises, and goes on without it."""
        from tfadaopt.callbacks.plugin.backend import OptimizerTab

        return OptimizerTab(context)
