"""What holds for every named experiment."""

import dataclasses
import warnings

import pytest

import jaxchemo as jc
from jaxchemo.experiments import EXPERIMENTS, Invasion, KellerSegel1D, Outcome, Posed, figures, options


def in_all_dimensions(experiment):
    several = "ndim" in options(experiment)
    return [dataclasses.replace(experiment, ndim=d) for d in experiment.dimensions] if several else [experiment]


POSED = [
    posed for experiment in EXPERIMENTS if isinstance(experiment, Posed) for posed in in_all_dimensions(experiment)
]


@pytest.mark.parametrize("experiment", POSED, ids=[f"{posed.name}-{k}" for k, posed in enumerate(POSED)])
def test_no_experiment_states_more_mass_than_its_domain_holds(experiment):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = experiment.problem()
    assert problem.domain.ndim == getattr(experiment, "ndim", experiment.dimensions[0])


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_every_field_is_an_option_that_says_what_it_is_and_keeps_its_default(experiment):
    assert options(experiment)
    for name, option in options(experiment).items():
        value = getattr(experiment, name)
        assert option.about and not option.about[0].isupper()
        if value is None:
            value = getattr(experiment, option.otherwise)
        assert option.check(name, value) == value
    assert dataclasses.replace(experiment) == experiment


@pytest.mark.parametrize(("name", "units"), [("t1", {"time", "s", ""}), ("dt", {"time", "s", ""}), ("shape", {""})])
def test_an_option_means_the_same_in_every_experiment(name, units):
    declared = [options(experiment)[name] for experiment in EXPERIMENTS if name in options(experiment)]
    assert len(declared) > 5 and {option.unit for option in declared} <= units


def test_a_field_that_is_no_option_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Odd(Invasion):
        colour: str = "red"

    with pytest.raises(TypeError, match="`colour` is no option"):
        Odd()


@pytest.mark.slow
def test_on_one_axis_each_method_has_a_film(tmp_path):
    experiment = KellerSegel1D(length=20.0, sensitivity=10.0, shape=(80,), t1=0.02, dt=0.01, frames=2)
    methods = {"fv": jc.FiniteVolume(), "spectral": jc.Spectral()}
    outcomes = {
        name: Outcome(experiment.problem(), method, experiment.solve(method)) for name, method in methods.items()
    }
    drawn = figures.draw(experiment, outcomes, tmp_path)
    assert {"density_fv.png", "density_spectral.png", "film_fv.gif", "film_spectral.gif"} <= {p.name for p in drawn}
