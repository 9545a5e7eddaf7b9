"""The suite `generation`: any of a place's strands told from any others, beside what can be told without a model."""
