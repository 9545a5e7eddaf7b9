"""Features: what is computed once of every item and kept, truths and places among it."""
