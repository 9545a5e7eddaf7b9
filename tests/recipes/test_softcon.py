"""Land cover as a teacher: the recipes on the packaged sample, and what they refuse."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from tests.sample.ssl4eo_tree import L1C, write_tree

from armillary.errors import BadInput, SceneNotFound
from armillary.models.zoo import load_encoder
from armillary.recipes.softcon import INFO_NCE, MAE, SIGLIP, SOFTCON, SUPCON, SoftConRecipe, labelled_places, softcon
from armillary.sample.stream import Stream, place_of
from armillary.sample.tiles import packaged
from armillary.train.config import read
from armillary.train.journal import read_journal
from armillary.train.run import run

QUICK = ("steps=1", "batch_size=4", "held_out_every=1", "held_out_batches=1", "accelerator=cpu")


def quick(start: SoftConRecipe, *more: str) -> SoftConRecipe:
    return read(SoftConRecipe, overrides=(*QUICK, *more), start=start)


@pytest.mark.parametrize(("start", "terms"), [(SOFTCON, {"contrast", "soft"}), (MAE, {"reconstruct"})])
def test_a_step_from_the_weights_that_ship_leaves_weights_that_load(
    start: SoftConRecipe, terms: set[str], tmp_path: Path
) -> None:
    config = quick(start)
    list(run(softcon(config, labelled_places(None, config)), tmp_path / "run"))
    facts = read_journal(tmp_path / "run", "held_out")
    assert facts.keys() == {-1, 0}
    assert terms <= facts[0].keys()
    assert facts[0]["health/effective-rank"] > 1
    trained = load_encoder("copernicus-fm-nano", tmp_path / "run" / "weights.safetensors")
    before = load_encoder("copernicus-fm-nano")
    apart = [float((a - b).abs().max()) for a, b in zip(trained.parameters(), before.parameters(), strict=True)]
    assert 0 < max(apart) < 0.01


def test_from_scratch_means_random_weights() -> None:
    config = quick(SOFTCON, "weights=null", "seed=3")
    made = softcon(config, labelled_places(None, config)).build()
    expected = load_encoder("copernicus-fm-nano", None, seed=3)
    own = made.encoder.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(own[k], v) for k, v in expected.state_dict().items())


def test_labels_of_the_packaged_sample_are_of_its_places_on_both_sides() -> None:
    table = labelled_places(None, SOFTCON).labels.table
    for split, many in (("train", 5), ("held-out", 2)):
        tiles = packaged(split)
        assert len({place_of(tiles.key(i)) for i in range(len(tiles))} & table.keys()) == many
    assert table["terramesh_sites/282D_485L_3_3"] == (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def test_a_budget_of_compute_gives_each_objective_its_own_number_of_steps() -> None:
    steps = {}
    for name, start in {"info-nce": INFO_NCE, "mae": MAE}.items():
        config = quick(start, "tera_ops=2.0")
        steps[name] = softcon(config, labelled_places(None, config)).config.steps
    assert steps["mae"] != steps["info-nce"] > 1


def test_seasons_make_two_draws_of_a_place_its_two_views() -> None:
    config = quick(INFO_NCE, "seasons=true")
    (draw,) = islice(softcon(config, labelled_places(None, config)).stream, 1)
    assert draw.repeats == 2
    assert draw.keys[0] == draw.keys[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accumulate": 2}, "a part would be compared with itself alone"),
        ({"strategy": "fsdp"}, "use strategy=ddp"),
        ({"on": "copernicus-fm-mini"}, "no model is called"),
        ({"objective": replace(SOFTCON.objective, queue=12)}, "a multiple of 8"),
    ],
)
def test_what_cannot_go_together_is_refused_with_what_to_do(change: dict[str, object], said: str) -> None:
    config = replace(quick(SOFTCON), **change)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=said):
        softcon(config, labelled_places(None, config)).build()


def test_nothing_can_be_rebuilt_without_a_decoder() -> None:
    config = quick(MAE, "on=dinov2-small", "weights=null")
    with pytest.raises(BadInput, match="dinov2-small has no decoder"):
        softcon(config, labelled_places(None, config)).build()


def test_learning_from_labels_needs_some(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFound, match="nothing is there"):
        labelled_places(None, quick(SUPCON, f"labels={tmp_path / 'labels.json'}"))
    (tmp_path / "labels.json").write_text("{}")
    config = quick(SUPCON, f"labels={tmp_path / 'labels.json'}")
    with pytest.raises(BadInput, match=r"0 places have labels.* or objective\.learn=info-nce"):
        softcon(config, labelled_places(None, config)).build()


def test_a_folder_of_ssl4eo_s12_brings_its_own_labels(tmp_path: Path) -> None:
    write_tree(tmp_path)
    labels = {"0000001": {L1C[0]: ["0"], L1C[1]: ["4", "5"]}, "0000003": {L1C[0]: []}}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    places = labelled_places(tmp_path, SOFTCON)
    assert {place: [c for c, y in enumerate(row) if y] for place, row in places.labels.table.items()} == {
        "0000001": [0, 4, 5]
    }
    assert sorted((*(places.train_places or ()), *(places.held_out_places or ()))) == [0, 1]


@pytest.mark.parametrize("more", [(), ("legend=worldcover",)])
def test_labels_of_other_places_are_none(tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "labels.json").write_text('{"x": {"y": ["1"]}}')
    config = quick(SUPCON, f"labels={tmp_path / 'labels.json'}", *more)
    with pytest.raises(BadInput, match="1 places have labels and none of them is among the"):
        softcon(config, labelled_places(None, config))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("batch_size=1",), "holds 1 place"),
        (("batch_size=3", "seasons=true"), "give at least 4"),
        (("objective.contrast=0", "objective.soft=0"), "nothing would be learned"),
    ],
)
def test_what_compares_nothing_is_refused(words: tuple[str, ...], said: str) -> None:
    config = quick(SOFTCON, *words)
    with pytest.raises(BadInput, match=said):
        softcon(config, labelled_places(None, config))


def test_a_run_does_not_go_on_with_other_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    config = quick(SOFTCON, f"labels={path}", "steps=2", "checkpoint_every=1")
    place = place_of(packaged("train").key(0))
    path.write_text(json.dumps({place: {"x": ["1"]}}))
    steps = run(softcon(config, labelled_places(None, config)), tmp_path / "run", stop=lambda: True)
    assert sum(progress.saved for progress in steps) == 1
    path.write_text(json.dumps({place: {"x": ["2"]}}))
    with pytest.raises(BadInput, match=r"labels.*; resume with what it began with"):
        list(run(softcon(config, labelled_places(None, config)), tmp_path / "run", resume=True))
    path.write_text(json.dumps({place: {"y": ["1"]}}))
    assert list(run(softcon(config, labelled_places(None, config)), tmp_path / "run", resume=True))[-1].saved


def test_a_drawn_season_has_its_own_label_and_not_that_of_another(tmp_path: Path) -> None:
    write_tree(tmp_path)
    labels = {"0000001": {L1C[0]: ["0"], L1C[1]: ["4", "5"]}, "0000003": {L1C[0]: ["8"], L1C[1]: []}}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    places = labelled_places(tmp_path, SOFTCON)
    seen = set()
    for draw in islice(Stream(places.train, 8, repeats=2), 4):
        for i, row in enumerate(places.labels.of(draw)):
            first = float(draw.samples["s2-l1c"][i].pixels.max()) < 0.15
            wanted = labels[draw.keys[i]][L1C[0] if first else L1C[1]]
            told = [str(c) for c in row.nonzero().flatten().tolist()] if bool(row.isfinite().all()) else []
            assert told == wanted
            seen.add((draw.keys[i], first))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("start", "words", "said"),
    [
        (
            SUPCON,
            ("objective.queue=8", "objective.form=mse", "objective.momentum=0.1", "objective.mask_ratio=0.9"),
            r"form=mse, objective\.momentum=0\.1, objective\.queue=8, objective\.mask_ratio=0\.9 was .*learn=supcon",
        ),
        (SUPCON, ("objective.power=2",), r"objective\.power=2\.0 was"),
        (SIGLIP, ("objective.temperature=0.1",), r"objective\.temperature=0\.1 was"),
        (INFO_NCE, ("objective.rule=any", "legend=esri"), r"objective\.rule=any, legend=esri was"),
        (SOFTCON, ("objective.soft=0", "objective.form=ce"), r"objective\.form=ce was"),
        (MAE, ("objective.hidden=8",), r"objective\.hidden=8 was .* where hidden patches are rebuilt"),
    ],
)
def test_what_has_no_effect_is_refused(start: SoftConRecipe, words: tuple[str, ...], said: str) -> None:
    config = quick(start, *words)
    with pytest.raises(BadInput, match=said):
        softcon(config, labelled_places(None, config))


@pytest.mark.parametrize("start", [SOFTCON, SUPCON, INFO_NCE, SIGLIP, MAE])
def test_no_recipe_asks_by_itself_for_what_has_no_effect(start: SoftConRecipe) -> None:
    assert softcon(start, labelled_places(None, start)).config == start


@pytest.mark.parametrize(
    ("start", "words"),
    [(SUPCON, ("objective.rule=jaccard", "objective.power=2")), (SOFTCON, ("objective.queue=8", "objective.form=ce"))],
)
def test_what_has_an_effect_is_taken(start: SoftConRecipe, words: tuple[str, ...]) -> None:
    config = quick(start, *words)
    assert softcon(config, labelled_places(None, config)).config == config
