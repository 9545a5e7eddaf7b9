"""Archives: their files as items of a task. A reader of a new archive goes here."""
