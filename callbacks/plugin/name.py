"""The name under which data for the tab is written, and under which TensorBoard knows the plugin."""

NAME = "tfadaopt"
