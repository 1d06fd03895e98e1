"""What happens to a ranked list before it is shown: caps, pinned places, boosts."""
