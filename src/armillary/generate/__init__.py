"""Joint diffusion: any of a place's strands from any others, by one network with one time per strand."""
