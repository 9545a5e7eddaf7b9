"""Products: a map of embeddings of a scene of any size, in the files that people use, each with a receipt."""
