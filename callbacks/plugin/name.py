"""The name of the plugin: data for the tab is written under it."""

NAME = "tfadaopt"
