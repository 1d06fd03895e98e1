"""Fusion: many scores to one."""
