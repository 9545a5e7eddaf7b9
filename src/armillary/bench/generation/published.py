"""Published: figures of others that come nearest to what is measured here, and why they must not be compared.

From COP-GEN's own benchmark (arXiv:2603.03239, best sample per tile and leave-one-out, Major TOM tiles of 1,056 px).
Best of many samples favours whichever model varies most; numbers of samples, tiles and ranges are not ours.
"""

from armillary.bench.report.tables import Table

FIGURES = Table(
    ("target", "COP-GEN, best", "TerraMind, best", "COP-GEN, from all others", "TerraMind, from all others"),
    (
        ("s1-rtc, MAE in dB", "2.63", "2.64", "2.68 to 2.76", "2.62 to 2.64"),
        ("s2-l2a, MAE", "0.02", "0.10", "0.02 (0.07 without L1C)", "0.10"),
        ("s2-l1c, MAE", "0.02", "0.11 (see below)", "0.02 (0.06 without L2A)", "0.11 to 0.12 (see below)"),
        ("dem, MAE in m", "26.80", "145.62", "45.8 to 54.9", "140 to 147"),
        ("land-cover, agreement", "0.84", "0.80", "0.79 to 0.81", "0.80"),
    ),
    "as printed by COP-GEN's authors; other places, other tiles, other numbers of samples: not comparable with ours",
)  # fmt: skip

CAVEATS = (
    (
        "The published comparison has two defects (verified in its code). TerraMind has no output for level 1C: the "
        "request returns level 2A pixels, which were scored against the truth of level 1C. And to match thirteen true "
        "bands with twelve, the evaluator drops position 9 of its own stack, which is B09, not B10, so true cirrus is "
        "compared with water vapour. A perfect level 2A picture scored this way gets 0.046 to 0.114 on five real "
        "tiles, so the row s2-l1c of TerraMind says little about TerraMind."
    ),
    (
        "COP-GEN's SSIM and PSNR are taken with the range of each sample and are left out here; elevations are whole "
        "elevations in metres, where ours are the relief about a mean, and the mean."
    ),
)
