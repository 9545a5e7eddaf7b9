"""Arena: a plan is asked, question by question, and every answer is a cell on disk."""
