"""Training: objectives, and the loop that minimises them on one process or many."""
