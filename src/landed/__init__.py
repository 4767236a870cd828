"""Tells people and pipelines whether a commit has landed: reconciled by Flux, healthy, on every cluster."""

__version__ = "0.1.0"
