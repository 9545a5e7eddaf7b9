"""The command line: one verb per file. Only this room prints."""
