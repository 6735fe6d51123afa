"""Which method solves what: for each pair of a method and a feature either a problem solved, or one refused."""

import functools
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import jaxchemo as jc
from jaxchemo.features import Feature
from jaxchemo.methods import METHODS, AbstractFixedStep
from jaxchemo.methods.base import methods
from jaxchemo.methods.support import table
from jaxchemo.models import (
    Consumption,
    FluxLimited,
    Linear,
    Logistic,
    Model,
    PowerLaw,
    Production,
    Receptor,
    Room,
    RunAndTumble,
    Sigmoid,
    Signal,
    Species,
    VolumeFilling,
    kalinin,
)

KEY = jax.random.key(0)
EVEN = jc.initial.uniform(amplitude=1.0)
BUMP = jc.initial.gaussian(mass=1.0, std=0.3, center=(0.0, 0.0))
SMALL = {
    jc.ParticleField: {"num_particles": 50},
    jc.InteractingParticles: {"num_particles": 50},
    jc.LagrangianFlow: {"num_labels": 64, "num_sources": 64, "width": 4, "max_intervals": 2},
    jc.PriorFlow: {
        "num_labels": 64,
        "num_sources": 64,
        "width": 4,
        "steps": 2,
        "depth": 2,
        "intervals": 1,
        "tolerance": 9,
    },
    jc.Agents: {"num_agents": 50},
}
FOOD = Signal(Consumption("rho"))
MADE = {"a": Signal(Production("rho", decay=1.0), 0.1), "e": Signal(Production("rho", decay=1.0), 0.1, relaxation=0)}
MANY_SIGNALS = {"c": FOOD, **MADE}


def box(ndim, boundary=jc.Periodic()):
    return jc.Grid.box((-1.0,) * ndim, (1.0,) * ndim, (8,) * ndim, boundary)


def posed(model, grid):
    free = [name for name, one in model.signals.items() if not one.slaved]
    return jc.Problem(model, grid, dict.fromkeys(model.populations, EVEN), dict.fromkeys(free, EVEN))


def densities(grid=None, signals=None, second=False, law=Linear(0.1), **species):
    signals = {"c": FOOD} if signals is None else signals
    taxis = dict.fromkeys(signals, law)
    all_species = {"rho": Species(0.1, taxis, **species)} | ({"other": Species(0.2)} if second else {})
    return posed(Model(all_species, signals), box(1) if grid is None else grid)


def attraction(advection=None):
    model = jc.models.keller_segel(1.0, 1.0, relaxation=0)
    model = Model(model.species, model.signals, advection)
    return jc.Problem(model, jc.FreeSpace(2), BUMP)


def swimmers(grid=None, rate=1.0, signals=None, **options):
    signals = {} if signals is None else signals
    return posed(RunAndTumble(1.0, rate, signals=signals or None, **options), box(1) if grid is None else grid)


WALLS = [jc.NoFlux(), jc.Dirichlet(0.0), jc.Dirichlet(1.0), jc.Dirichlet({"c": 1.0})]
CROWDED = {"growth": Logistic(1.0, 2.0), "motility": PowerLaw(1.0)}
LIMITED = FluxLimited(VolumeFilling(Receptor(0.1, 1.0), Room(5.0)), 1.0)
PROBLEMS = [
    densities(),
    densities(box(2), MANY_SIGNALS, second=True, law=LIMITED, **CROWDED),
    densities(box(2), second=True, law=LIMITED),
    densities(signals={"c": FOOD, "food": Signal(Consumption("rho"))}),
    *(densities(law=law) for law in (Receptor(0.1, 1.0), VolumeFilling(Linear(0.1), Room(5.0)))),
    densities(law=FluxLimited(Linear(0.1), 1.0)),
    *(densities(**{name: part}) for name, part in CROWDED.items()),
    densities(growth=Logistic(Sigmoid(0.0, 1.0, 0.5, 0.1), 2.0)),
    *(densities(signals={"c": MADE[name]}) for name in MADE),
    densities(jc.RadialGrid(1.0, 8, 2)),
    *(densities(box(1, wall)) for wall in WALLS),
    posed(Model({"rho": Species(0.1)}, advection=lambda x: 0 * x), box(1)),
    attraction(),
    attraction(lambda x: 0 * x),
    swimmers(),
    *(swimmers(box(ndim), signals=MANY_SIGNALS) for ndim in (1, 2)),
    swimmers(box(2), rotational_diffusion=1.0, tumble_duration=0.1, speed_spread=0.1),
    *(swimmers(**{name: 0.1}) for name in ("tumble_duration", "speed_spread")),
    swimmers(box(2), rotational_diffusion=0.1),
    swimmers(rate=jnp.ones(50)),
    swimmers(rate=kalinin(), signals={"c": Signal()}),
    jc.Problem(RunAndTumble(1.0, 1.0), jc.FreeSpace(2), BUMP),
    *(swimmers(box(1, wall), signals={"c": FOOD}) for wall in WALLS),
    *(swimmers(signals={"c": MADE[name]}) for name in MADE),
    swimmers(jc.RadialGrid(1.0, 8, 2)),
]


def pairs(solved):
    return [
        pytest.param(method, feature, id=f"{method.__name__}-{feature.name}")
        for method in METHODS
        for feature in Feature
        if (feature in method.solves) == solved
    ]


def built(method):
    return method(**SMALL.get(method, {}))


@functools.cache
def solved(method, number):
    """Whether the first step, or interval, of a problem goes well."""
    problem, one = PROBLEMS[number], built(method)
    key = KEY if one.stochastic else None
    steps = {"dt": 1e-3} if isinstance(one, AbstractFixedStep) else {}
    solution = jc.solve(problem, one, t1=1e-3, key=key, **steps)
    return bool(solution.result == jc.RESULTS.successful)


@pytest.mark.parametrize(("method", "feature"), pairs(solved=True))
def test_it_solves_what_it_says(method, feature):
    """In the problem that has the most of what it solves: few are compiled."""
    fits = [n for n, one in enumerate(PROBLEMS) if feature in one.features and one.features <= method.solves]
    assert solved(method, max(fits, key=lambda n: len(PROBLEMS[n].features)))


@pytest.mark.parametrize(("method", "feature"), pairs(solved=False))
def test_it_refuses_all_else(method, feature):
    """In the problem that has the least else that it does not solve; and what it names instead takes the problem."""
    fits = [one for one in PROBLEMS if feature in one.features]
    problem = min(fits, key=lambda one: len(one.features - method.solves))
    with pytest.raises(TypeError, match=f"{method.__name__} does not solve problems with ") as refused:
        built(method).check(problem)
    unknown = [one for one in Feature if one in problem.features - method.solves]
    assert any(one.value in str(refused.value) for one in unknown)
    if unknown == [feature]:
        assert feature.value in str(refused.value)
    named = re.search(r": ([\w, ]+) would do", str(refused.value))
    for other in re.split(", | or ", named[1]) if named else ():
        built(getattr(jc, other)).check(problem)


def test_a_feature_that_a_method_never_heard_of_is_refused():
    class Cautious(AbstractFixedStep):
        stochastic, name = False, "cautious"

        def init(self, problem, *, key=None): ...
        def step(self, problem, state, n, t, dt, *, key=None): ...
        def stable_dt(self, problem, state): ...
        def snapshot(self, problem, state): ...

    with pytest.raises(TypeError, match=r"Cautious does not solve problems with population densities.*FiniteVolume"):
        jc.solve(PROBLEMS[0], Cautious(), t1=1.0, dt=0.1)


def test_all_methods_are_in_the_list():
    ours = {one for one in methods() if one.__module__.startswith("jaxchemo.")}
    assert ours == set(METHODS)


@pytest.mark.parametrize("path", ["README.md", "docs/methods.md"])
def test_the_table_is_up_to_date(path):
    assert table(METHODS) in (Path(__file__).parents[2] / path).read_text(encoding="utf-8"), "run `make tables`"


def test_what_is_known_is_known_inside_jit_too():
    """JAX traces there whatever it computes, also from numbers that have a value."""
    made = densities(box(1, jc.Dirichlet(0.0)), {"c": MADE["e"]})

    @jax.jit
    def number_of_features(x):
        assert made.features == expected
        return len(made.features) * x

    expected = made.features
    assert float(number_of_features(1.0)) == len(expected)
