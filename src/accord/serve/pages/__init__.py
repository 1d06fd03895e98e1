"""The page at ``/``: a playground for lists, the card of the model, and live counters."""
