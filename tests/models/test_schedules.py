"""Numbers that change in time: what they are at a time, where they may stand, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.features import Feature
from jaxchemo.models import (
    Course,
    FluxLimited,
    Linear,
    Logistic,
    Model,
    PiecewiseLinear,
    PowerLaw,
    Production,
    Room,
    Sigmoid,
    Signal,
    Species,
    VolumeFilling,
)

LATE = Sigmoid(0.0, 2.0, time=3.0, width=0.5)
RAMP = PiecewiseLinear([1.0, 3.0], [4.0, 2.0])
DAY = Course(lambda t: 1 + 0.5 * jnp.sin(t), turns=(-jnp.pi / 2, jnp.pi / 2))


def everywhere():
    """A model with a schedule in each kind of place."""
    law = FluxLimited(VolumeFilling(Linear(LATE), Room(RAMP)), DAY)
    cells = Species(LATE, {"c": law}, Logistic(DAY, RAMP), PowerLaw(2.0, RAMP))
    return Model({"u": cells}, {"c": Signal(Production("u", LATE, decay=RAMP), DAY, relaxation=RAMP)})


def test_a_sigmoid_is_the_published_delay():
    t = np.linspace(-2, 8, 11)
    b0, b1 = -3.0 / 0.5, 1 / 0.5
    np.testing.assert_allclose(LATE(t), 2 / (1 + np.exp(-(b0 + b1 * t))), rtol=1e-12)
    np.testing.assert_allclose(Sigmoid(5.0, 2.0, 3.0, 0.5)(t), 5 - 3 / (1 + np.exp(-(b0 + b1 * t))), rtol=1e-12)


def test_a_sigmoid_stays_between_its_ends_in_single_precision():
    falling = Sigmoid(*map(jnp.float32, (0.1, 0.0, 0.0, 1.0)))
    values = np.asarray(falling(jnp.linspace(-40, 40, 201, dtype=jnp.float32)))
    assert values.dtype == np.float32 and (values > 0).all() and (np.diff(values) <= 0).all()


@pytest.mark.parametrize("schedule", [LATE, RAMP, DAY], ids=repr)
def test_its_turns_have_its_lowest_and_highest_values(schedule):
    values, ends = schedule(jnp.linspace(-10, 20, 3001)), schedule(schedule.turns)
    assert float(jnp.min(ends)) == pytest.approx(float(jnp.min(values)), abs=1e-5)
    assert float(jnp.max(ends)) == pytest.approx(float(jnp.max(values)), abs=1e-5)


def test_a_model_at_a_time_has_numbers_only():
    model = everywhere()
    there = model.at(2.0)
    assert model.changes and not there.changes
    assert model.features(1) - there.features(1) == {Feature.SCHEDULES}
    species, signal = there.species["u"], there.signals["c"]
    assert species.mobility == pytest.approx(float(LATE(2.0))) and signal.relaxation == pytest.approx(3.0)
    assert species.growth.rate(jnp.array(1.0), {}) == pytest.approx(float(DAY(2.0)) * (1 - 1 / 3))
    assert "t" not in there.equations().replace("d_t", "").replace("grad", "").replace("limited to", "")
    assert there.at(5.0) is there


def test_equations_read_as_functions_of_time():
    model = Model({"u": Species(Sigmoid(0.5, 2.0, 3.0, 4.0), growth=Logistic(RAMP, 2.0))})
    assert model.equations() == (
        "d_t u = div( (0.5 / (1 + exp((t - 3)/4)) + 2 / (1 + exp(-(t - 3)/4))) grad u )"
        " + f(t)[4 at 1, 2 at 3] u (1 - u/2)"
    )
    assert Model({"u": Species(DAY)}).equations() == "d_t u = div( f(t) grad u )"
    assert repr(Species(LATE)).startswith("Species(mobility=Sigmoid(before=0, after=2, time=3, width=0.5)")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Species(Sigmoid(-1.0, 1.0, 0.0, 1.0)), "`mobility` must be positive"),
        (lambda: Species(PiecewiseLinear([0, 1], [0.0, 1.0])), "`mobility` must be positive"),
        (lambda: Logistic(Course(jnp.sin, turns=(0.0, -1.5))), "`speed` must not be negative"),
        (lambda: Sigmoid(0.0, 1.0, 0.0, 0.0), "`width` must be positive"),
        (lambda: Sigmoid(0.0, jnp.inf, 0.0, 1.0), "`after` must be finite"),
        (lambda: PiecewiseLinear([0, 0], [1, 2]), "`times` must increase"),
        (lambda: PiecewiseLinear([0, 1], [1, 2, 3]), "`values` must be one for each of the 2 times, got 3"),
        (lambda: PiecewiseLinear([0], [1]), "`times` must be two or more numbers"),
        (lambda: PiecewiseLinear([], []), "`times` must be two or more numbers"),
        (lambda: Course(lambda t: jnp.ones(3), turns=(0.0,)), "`function`: the function must give one number"),
        (lambda: Course(jnp.sin, turns=()), "`turns` must name a time"),
        (lambda: jc.analysis.linearised(Model({"u": Species(LATE)}), {"u": 1.0}, 1.0), "numbers that change in time"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_no_schedule_stands_where_no_law_takes_one():
    with pytest.raises(TypeError, match="`std` must be a number"):
        jc.inference.Gaussian(LATE)
    with pytest.raises(TypeError, match="`power` must be a number, got Sigmoid"):
        Room(1.0, power=LATE)


def test_what_is_not_positive_is_found_in_a_compiled_run_too():
    grid, start = jc.Grid.box(0.0, 1.0, 8), jc.initial.uniform(amplitude=1.0)

    @jax.jit
    def run(before):
        problem = jc.Problem(Model({"u": Species(Sigmoid(before, 1.0, 0.5, 0.1))}), grid, start)
        return jc.solve(problem, jc.FiniteVolume(), t1=0.01, dt=1e-3, throw=False).result

    assert bool(run(0.5) == jc.RESULTS.successful)
    assert bool(run(-0.5) == jc.RESULTS.out_of_range)
