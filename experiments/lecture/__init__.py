"""Experiment ``lecture``: five methods on surfaces and on a CNN."""
