from armillary.bench.published import MODELS, PUBLISHED
from armillary.bench.tasks import COPERNICUS


def test_every_task_has_its_row_and_no_row_is_without_a_task() -> None:
    assert set(PUBLISHED) == set(COPERNICUS)
    assert all(set(row) <= set(MODELS) for row in PUBLISHED.values())
    assert all(COPERNICUS[name].published is row for name, row in PUBLISHED.items())


def test_shares_are_shares_and_errors_stay_in_their_unit() -> None:
    assert PUBLISHED["cloud-s2"]["SoftCon ViT-B/14"] == (0.669, 0.003)
    assert PUBLISHED["aq-o3-s5p"]["Copernicus-FM ViT-B/16"] == (789.4, 2.6)


def test_models_that_were_not_run_have_no_entry() -> None:
    assert set(MODELS) - set(PUBLISHED["biomass-s3"]) == {"SoftCon ViT-B/14", "CROMA ViT-B/8"}


def test_copernicus_fm_beats_both_supervised_models_on_ten_of_fifteen() -> None:
    best = 0
    for name, row in PUBLISHED.items():
        sign = -1 if name in {"biomass-s3", "aq-no2-s5p", "aq-o3-s5p"} else 1
        ours, *others = (sign * row[m][0] for m in (MODELS[-1], MODELS[0], MODELS[1]))
        best += ours > max(others)
    assert best == 10
