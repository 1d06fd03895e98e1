"""Rows in, datasets out: reading, cleaning, splitting."""
