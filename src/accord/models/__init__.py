"""Sources: one file a model."""
