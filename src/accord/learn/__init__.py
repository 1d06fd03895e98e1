"""The one training loop of all torch models, with losses, schedules and batches as parts."""
