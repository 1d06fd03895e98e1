"""The nouns and roles that every room speaks."""
