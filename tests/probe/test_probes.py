import pytest

from armillary.probe.answer import AnyOf, ClassMap, OneOf, Value, ValueMap
from armillary.probe.asked import Probe, Tuner
from armillary.probe.dense import OFFICIAL_WIDTH, DenseProbe
from armillary.probe.linear_head import LinearProbe
from armillary.probe.probes import PROBES, as_published, in_epochs

ANSWERS = (OneOf(("a",)), AnyOf(("a",)), ClassMap(("a",)), Value("m"), ValueMap("m"))


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_called_what_its_key_is(name: str) -> None:
    assert PROBES[name].name == name


def test_every_answer_has_a_probe_on_cached_features_and_one_that_trains_the_model() -> None:
    for answer in ANSWERS:
        kinds = {isinstance(p, Tuner) for p in PROBES.values() if p.serves(answer)}
        assert kinds == {True, False}


def test_a_probe_that_always_reads_maps_serves_maps_alone() -> None:
    for probe in PROBES.values():
        if not isinstance(probe, Tuner) and probe.needs_maps:
            assert [type(a) for a in ANSWERS if probe.serves(a)] == [ClassMap, ValueMap]


def test_the_published_protocol_sets_rate_batch_and_width() -> None:
    assert as_published(PROBES["linear"], 0.1, 64) == LinearProbe(rates=(0.1,), batch=64)
    assert as_published(PROBES["upernet"], 1e-3, 16) == DenseProbe("upernet", OFFICIAL_WIDTH, (1e-3,), batch=16)
    assert as_published(PROBES["knn"], 0.1, 64) is PROBES["knn"]


def test_epochs_are_those_of_probes_that_make_some() -> None:
    short = in_epochs(PROBES["conv"], 3)
    assert isinstance(short, DenseProbe)
    assert short.epochs == 3
    assert in_epochs(PROBES["ridge"], 3) is PROBES["ridge"]


def test_probes_can_be_told_apart_by_what_they_do() -> None:
    tuners = {name for name, p in PROBES.items() if isinstance(p, Tuner)}
    assert tuners == {"finetune", "lora"}
    probes: list[Probe] = [p for p in PROBES.values() if not isinstance(p, Tuner)]
    assert len(probes) == len(PROBES) - 2
