"""Report: finished cells as tables, plots and one page."""
