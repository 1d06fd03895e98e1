"""The HTTP service: a trained pipeline, a live store and the rules of the house behind one API."""
