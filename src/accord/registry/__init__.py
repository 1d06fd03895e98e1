"""Trained pipelines on disk: versions, the one that is live, and the way back."""

from accord.registry.deltas import Delta, Deltas
from accord.registry.ledger import Entry, Stage, Version
from accord.registry.registry import Registry
from accord.registry.watch import Watch

__all__ = ["Delta", "Deltas", "Entry", "Registry", "Stage", "Version", "Watch"]
