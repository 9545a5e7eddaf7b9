from pathlib import Path

import pytest

from armillary.errors import BadInput
from armillary.train.config import TrainConfig, differences, from_plain, read, to_plain, to_yaml
from armillary.train.optim import OptimConfig

OTHER = TrainConfig(steps=7, optim=OptimConfig(lr=1e-4, betas=(0.8, 0.99), clip=None), ema_decay=0.999, devices=4)


@pytest.mark.parametrize("config", [TrainConfig(), OTHER])
def test_config_to_file_to_config_is_equal(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(to_yaml(config))
    assert read(TrainConfig, tmp_path / "x.yaml") == config
    assert from_plain(TrainConfig, to_plain(config), source="x") == config


def test_equal_configurations_hash_equally() -> None:
    assert hash(OTHER) == hash(from_plain(TrainConfig, to_plain(OTHER), source="x"))


def test_an_override_reaches_its_key_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("steps: 5\noptim: {lr: 0.5, clip: 2.0}\n")
    config = read(TrainConfig, tmp_path / "x.yaml", ["optim.lr=1e-4", "optim.betas=[0.5, 0.6]", "ema_decay=null"])
    assert config == TrainConfig(steps=5, optim=OptimConfig(lr=1e-4, clip=2.0, betas=(0.5, 0.6)))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lr=1", "there is no key lr"),
        ("optim.learning=1", r"there is no key optim\.learning"),
        ("steps=many", "steps is 'many'"),
        ("steps=0", "steps is 0"),
        ("precision=16", "precision is 16"),
        ("steps", "overrides nothing"),
        ("steps.more=1", "there is no key|steps is"),
    ],
)
def test_what_cannot_be_is_refused_by_name(override: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(TrainConfig, overrides=[override])


def test_an_unknown_key_of_a_file_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("step: 5\n")
    with pytest.raises(BadInput, match=r"x\.yaml is no TrainConfig: there is no key step; known keys are steps, "):
        read(TrainConfig, tmp_path / "x.yaml")


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n"])
def test_what_is_no_configuration_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"x\.yaml"):
        read(TrainConfig, tmp_path / "x.yaml")


def test_an_absent_file_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read(TrainConfig, "absent.yaml")


def test_where_and_how_fast_may_change_and_nothing_else() -> None:
    one = to_plain(TrainConfig())
    assert differences(one, to_plain(TrainConfig(workers=3, devices=2, keep=9))) == ""
    assert differences(one, to_plain(TrainConfig(optim=OptimConfig(lr=1)))) == "optim.lr was 0.0003, now 1.0"
