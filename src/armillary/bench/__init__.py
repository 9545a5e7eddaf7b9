"""Labelled sets, and what encoders score on them.

This folder holds the nouns (`archive`, `files`, `task`) and the questions themselves (`tasks`, `variants`, `kuro_siwo`,
`real_mini`, gathered in `suites`). What works on them has rooms of its own, from the ground up:

- `archives`: files as items of a task; a reader of a new archive goes here.
- `encoders`: samples to vectors and maps; a new kind of encoder goes here.
- `specimens`: tiny synthetic files in the layout of every archive.
- `scores`: sums over a whole test part, and what they say; a new measure goes here.
- `features`: what is computed once of every item and kept.
- `arena`: a plan is asked, question by question; a new baseline goes here.
- `report`: finished cells as tables, plots and one page.
"""
