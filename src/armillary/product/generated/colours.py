"""Colours: how maps of categories are shown, in contact sheets and by programs that open the files."""

LAND_COVER = {
    1: "#419bdf", 2: "#397d49", 4: "#7a87c6", 5: "#e49635", 7: "#c4281b",
    8: "#a59b8f", 9: "#d8eefb", 10: "#8f8f8f", 11: "#e3e2c3",
}  # fmt: skip
"""Code of the ESRI map -> colour."""
