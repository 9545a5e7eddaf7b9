"""Scores: sums over a whole test part, and what they say."""
