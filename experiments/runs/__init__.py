"""Cells computed in worker processes, and the folder that keeps their results."""
