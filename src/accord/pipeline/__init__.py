"""Queries to slates: encoders, sources and stages put together, learned and saved."""
