"""Event stores: where live events, items and users are kept."""
