"""How good are the lists: metrics, floors, segments, significance. Reads slates, knows no model."""
