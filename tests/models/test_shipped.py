"""The weights that ship: whole, small, offline, and able to read every sensor of the fleet."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch

import armillary as arm
from armillary.errors import BadInput, OutOfRange, WeightsMismatch, WeightsMissing
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.mae import DECODERS, MaskedAutoencoder, load_autoencoder, save_decoder
from armillary.models.sizes import SIZES
from armillary.models.weights import locate, read_facts, read_tensors
from armillary.models.zoo import DEFAULT_MODEL, DEFAULT_WEIGHTS
from armillary.sample.augment import Augment
from armillary.sample.sample import Sample
from armillary.sample.tiles import packaged
from armillary.tokens.mask import mask_random
from armillary.train.reconstruct import Targets, reconstruction

MIB = 2**20


@pytest.fixture(scope="module")
def nano() -> CopernicusFM:
    torch.set_num_threads(1)
    model = arm.load_model("copernicus-fm-nano")
    assert isinstance(model, CopernicusFM)
    return model


@pytest.fixture(scope="module")
def mae() -> MaskedAutoencoder:
    torch.set_num_threads(1)
    return load_autoencoder("copernicus-fm-nano")


@pytest.fixture(scope="module")
def held_out() -> list[Sample]:
    """The Sentinel-2 samples of the packaged places that nothing learned from."""
    tiles, cut = packaged("held-out"), Augment(scale=(1.0, 1.0), size_px=64, flip=False)
    rng = np.random.default_rng(0)
    drawn = [cut(tiles.draw(place, rng), rng) for place in range(len(tiles))]
    return [s for views in drawn for name, s in views.items() if name.startswith("s2-")]


@pytest.mark.parametrize(
    ("href", "most_mib"), [(DEFAULT_WEIGHTS[DEFAULT_MODEL], 12.0), (DECODERS[DEFAULT_MODEL][1], 2.0)]
)
def test_a_shipped_file_is_bfloat16_within_its_budget_and_tells_its_licence(href: str, most_mib: float) -> None:
    assert locate(href).stat().st_size <= most_mib * MIB
    assert {t.dtype for t in read_tensors(href).values()} == {torch.bfloat16}
    facts = read_facts(href)
    assert facts["licence"] == "CC-BY-SA-4.0"
    assert "modified Copernicus Sentinel data" in facts["attribution"]
    assert {"name", "git", "data", "steps"} <= set(facts)


def test_loading_the_default_model_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert arm.load_model(DEFAULT_MODEL).config == SIZES[DEFAULT_MODEL]
    assert load_autoencoder(DEFAULT_MODEL).decoder.config == DECODERS[DEFAULT_MODEL][0]


def test_the_default_model_is_the_nano_of_the_table_and_not_random(nano: CopernicusFM) -> None:
    assert nano.config == SIZES["copernicus-fm-nano"]
    assert not nano.training
    state, other = nano.state_dict(), random_model(SIZES["copernicus-fm-nano"]).state_dict()
    assert {t.dtype for t in state.values()} == {torch.float32}
    learned = [k for k in state if not torch.allclose(state[k], other[k], atol=1e-2)]
    assert "trunk.blocks.0.attention.qkv.weight" in learned


def _of(sensor: arm.Sensor, model: CopernicusFM, side_px: int) -> arm.Batch:
    """Synthetic values around the mean of each band, two items, the second without place and time."""
    statistics = model.card.statistics(sensor)
    rng = np.random.default_rng(len(sensor.name))
    mean, std = (np.array(x)[:, None, None] for x in (statistics.mean, statistics.std))
    values = mean + std * rng.normal(size=(2, len(sensor.bands), side_px, side_px))
    nowhere = (float("nan"), float("nan"))
    return model.batch(
        values.astype(np.float32),
        sensor,
        lonlat=[(11.5, 48.1), nowhere],
        days=[18500, float("nan")],
        unit=statistics.unit,
    )


@pytest.mark.parametrize("name", sorted(arm.sensors))
def test_every_sensor_of_the_fleet_passes_at_its_own_chip_size(nano: CopernicusFM, name: str) -> None:
    sensor = arm.sensors[name]
    batch = _of(sensor, nano, sensor.chip_px)
    with torch.inference_mode():
        tokens = nano(batch)
    side = sensor.chip_px // sensor.patch_px
    assert tokens.grid.shape == (2, nano.config.width, side, side)
    assert torch.isfinite(tokens.grid).all()
    assert torch.isfinite(tokens.pooled).all()
    assert float(tokens.pooled.std()) > 0


def test_patches_that_the_stem_cannot_cut_are_refused_before_anything_is_read(nano: CopernicusFM) -> None:
    scene = arm.open(Path(arm.__file__).parent / "data" / "demo" / "dem_serengeti.tif", sensor="dem")
    with pytest.raises(OutOfRange, match="multiple of 4 px; take 4, the smallest"):
        arm.embed(scene, model=nano, patch_px=2)
    with pytest.raises(OutOfRange, match="take 8 or 12"):
        nano.kernel_px(10)


def test_what_is_hidden_is_said_better_than_by_the_mean_of_the_sensor(
    mae: MaskedAutoencoder, held_out: list[Sample]
) -> None:
    targets, ours, silent = Targets(scale="values"), 0.0, 0.0
    for i, sample in enumerate(held_out):
        batch = mae.encoder.card.collate([sample])
        with torch.inference_mode():
            rebuilt = mae(batch, mask_random(16, 0.7, [i]))
        truth = targets.of(batch)
        ours += float(reconstruction(rebuilt.pixels, truth, rebuilt.hidden)[0])
        silent += float(reconstruction(torch.zeros_like(truth), truth, rebuilt.hidden)[0])
    assert ours < 0.9 * silent


def test_a_decoder_comes_back_from_its_file(tmp_path: Path, mae: MaskedAutoencoder) -> None:
    save_decoder(mae, tmp_path / "d.safetensors", {"steps": "1"})
    again = load_autoencoder(DEFAULT_MODEL, locate(DEFAULT_WEIGHTS[DEFAULT_MODEL]), tmp_path / "d.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(mae.parameters(), again.parameters(), strict=True))
    assert read_facts(tmp_path / "d.safetensors") == {"steps": "1"}


def test_an_encoder_and_a_decoder_of_different_trainings_are_refused() -> None:
    with pytest.raises(BadInput, match="not trained together"):
        load_autoencoder(DEFAULT_MODEL, weights=None)
    with pytest.raises(BadInput, match="there is one for copernicus-fm-nano"):
        load_autoencoder("copernicus-fm-base")
    with pytest.raises(WeightsMismatch, match=r"decoder\.mask_token"):
        load_autoencoder(DEFAULT_MODEL, None, locate(DEFAULT_WEIGHTS[DEFAULT_MODEL]))


def test_embedding_without_a_model_named_uses_the_one_that_ships(nano: CopernicusFM) -> None:
    scene = arm.open(Path(arm.__file__).parent / "data" / "demo" / "s1_rtc_serengeti.tif", sensor="s1-rtc")[:, :64, :96]
    np.testing.assert_allclose(arm.embed(scene), arm.embed(scene, model=nano), atol=1e-5)


def test_a_package_without_its_weights_says_what_to_do() -> None:
    with pytest.raises(WeightsMissing, match="should ship with this program and is not there; install the whole"):
        locate("package://copernicus-fm-pico.safetensors")
