"""Models: nouns of the papers, built from nn and tokens, with their weights and statistics."""
