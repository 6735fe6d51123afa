"""A problem's parts are checked against one another when it is made, in words about the argument at fault."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import initial, models

GRID = jc.Grid.box((-1.0, -1.0), (1.0, 1.0), (8, 10))
BUMP = initial.gaussian(mass=1.0, std=0.4)


def problem(**parts):
    return jc.Problem(**({"model": jc.models.phks(0.1, 1.0), "domain": GRID, "density": BUMP, "signal": BUMP} | parts))


TWO = models.Model(
    {"u": models.Species(0.1), "v": models.Species(0.2)},
    {"c": models.Signal(), "slaved": models.Signal(diffusivity=1.0, relaxation=0)},
)


def test_conditions_are_kept_by_name():
    assert set(problem().density) == {"rho"} and set(problem().signal) == {"c"}
    two = problem(model=TWO, density={"v": BUMP, "u": initial.uniform(mass=2.0)})
    assert list(two.density) == ["u", "v"]  # in the order of the model
    assert list(two.signal) == ["c"]  # a slaved signal has no initial condition


def test_no_signal_where_there_is_none():
    model = models.Model({"rho": models.Species(0.1)})
    assert problem(model=model, signal=None).signal == {}
    elliptic = jc.models.keller_segel(0.1, 1.0, relaxation=0)
    assert problem(model=elliptic, signal=None).signal == {}


def test_replace_keeps_the_rest_and_checks_again():
    new = problem().replace(model=jc.models.phks(0.2, 3.0))
    assert float(new.model.species["rho"].mobility) == 0.2 and new.domain == GRID
    with pytest.raises(ValueError, match="`density` has shape"):
        problem(density=initial.array(np.ones((8, 10)))).replace(domain=jc.Grid.box((0, 0), (1, 1), (8, 8)))
    with pytest.raises(TypeError, match="A problem has 'model', 'domain', 'density' and 'signal', not 'mesh'"):
        problem().replace(mesh=GRID)


def test_every_number_is_a_leaf():
    leaves = jax.tree.leaves(problem(density=initial.array(np.ones((8, 10)))))
    # mobility, chi, rate, relaxation; the cell values; mass, center, std of the signal
    assert len(leaves) == 4 + 1 + 3


@pytest.mark.parametrize("first, second, kind", [(np.float32, np.float32, np.float32), (np.float32, float, float)])
def test_fields_share_one_precision(first, second, kind):
    ones = np.ones(GRID.shape)
    density, signal = problem(
        density=initial.array(ones.astype(first)), signal=initial.array(ones.astype(second))
    ).fields()
    assert density["rho"].dtype == signal["c"].dtype == kind


def test_python_numbers_do_not_decide_the_precision():
    single = initial.array(np.ones(GRID.shape, np.float32))
    density, signal = problem(density=single, signal=initial.uniform(amplitude=2.0)).fields()
    assert density["rho"].dtype == signal["c"].dtype == np.float32


@pytest.mark.parametrize(
    "parts, error, message",
    [
        ({"model": "phks"}, TypeError, "`model` must be a Model such as"),
        ({"domain": (64, 64)}, TypeError, "`domain` must be a domain such as"),
        ({"density": jnp.ones((8, 10))}, TypeError, "`density` must be an initial condition such as"),
        ({"density": None}, ValueError, "`density` must have an initial condition for 'rho', got nothing"),
        ({"signal": None}, ValueError, "`signal` must have an initial condition for 'c', got nothing"),
        ({"density": {"u": BUMP}}, ValueError, "`density` must have an initial condition for 'rho', got 'u'"),
        (
            {"signal": {"c": BUMP, "d": BUMP}},
            ValueError,
            "`signal` must have an initial condition for 'c', got 'c' and 'd'",
        ),
        ({"signal": {"c": 1.0}}, TypeError, "`signal` must be an initial condition"),
        ({"model": TWO}, ValueError, "`density` must be a dict by name: the model has 'u' and 'v'"),
        (
            {"model": TWO, "density": {"u": BUMP, "v": initial.array(np.ones(3))}},
            ValueError,
            r"`density\['v'\]` has shape \(3,\), but the grid has shape \(8, 10\)",
        ),
        (
            {"density": initial.array(np.ones((10, 8)))},
            ValueError,
            r"`density` has shape \(10, 8\), but the grid has shape \(8, 10\)",
        ),
        (
            {"signal": initial.array(-np.ones((8, 10)))},
            ValueError,
            "`signal` must not be negative, its smallest value is -1",
        ),
        (
            {"density": initial.gaussian(mass=1.0, center=(0, 0, 0), std=0.5)},
            ValueError,
            "`density`: center has 3 coordinates, but the grid has 2 dimensions",
        ),
        (
            {"signal": initial.gaussian(mass=1.0, std=(0.5, 0.5, 0.5))},
            ValueError,
            "`signal`: std has 3 coordinates, but the grid has 2 dimensions",
        ),
        (
            {"signal": initial.mixture([BUMP, initial.ball(mass=1.0, center=(0, 0, 0), radius=0.5)])},
            ValueError,
            "`signal`: center has 3 coordinates",
        ),
        (
            {"density": initial.gaussian(mass=1.0, std=0.1)},
            ValueError,
            r"`density` has a feature of size 0.1, narrower than one cell of the grid \(0.25\). "
            r"A grid of at least \(20, 25\) cells",
        ),
        (
            {"signal": initial.mixture([BUMP, initial.ring(mass=1.0, radius=0.5, width=0.05)])},
            ValueError,
            "`signal` has a feature of size 0.05, narrower than one cell",
        ),
        ({"density": initial.ball(mass=1.0, radius=0.2)}, ValueError, "`density` has a feature of size 0.2"),
        (
            {"density": initial.function(lambda x: x)},
            ValueError,
            r"`density`: the function must map points \(5, 2\) to values \(5,\), it gave \(5, 2\)",
        ),
        (
            {"density": initial.particles([[0.0, 0.0], [0.0, 1.5], [2.0, 0.0]])},
            ValueError,
            "`density`: 2 of 3 particles lie outside the box .* the first is particle 1 at",
        ),
        (
            {"density": initial.particles([[0.0, 0.0, 0.0]])},
            ValueError,
            "`density`: positions of dimension 3 do not fit the grid",
        ),
        (
            {"domain": jc.Grid.box(0.0, 1.0, 8), "density": initial.ring(mass=1.0, radius=0.5, width=0.2)},
            ValueError,
            "`density`: a ring lives on a Grid in 2 or 3 dimensions",
        ),
        (
            {"domain": jc.RadialGrid(1.0, 8, ndim=2), "density": initial.gaussian(mass=1.0, center=0.3, std=0.5)},
            ValueError,
            "`density`: only a condition that is symmetric about 0 fits a radial grid, center=0.3",
        ),
        (
            {"domain": jc.RadialGrid(1.0, 8, ndim=2), "signal": initial.gaussian(mass=1.0, std=(0.3, 0.5))},
            ValueError,
            "`signal`: only a condition that is symmetric about 0 fits a radial grid, std=",
        ),
    ],
)
def test_refused(parts, error, message):
    with pytest.raises(error, match=message):
        problem(**parts)


def test_numbers_that_are_traced_are_let_through():
    """Inside a transformation what is not known passes, and what is known is checked."""

    def mass(std):
        return problem(density=initial.gaussian(mass=1.0, std=std)).fields()[0]["rho"].sum()

    assert jnp.isfinite(jax.jit(mass)(0.01))
    with pytest.raises(ValueError, match="`density` has shape"):
        jax.jit(lambda a: problem(density=initial.array(a)).fields()[0]["rho"].sum())(jnp.ones(3))
    cloud = jnp.zeros((5, 2))
    assert jax.jit(lambda x: problem(density=initial.particles(x)).fields()[0]["rho"].sum())(cloud) > 0


def test_free_space_has_no_fields():
    with pytest.raises(TypeError, match="`domain` must be a grid, to evaluate fields on"):
        problem(domain=jc.FreeSpace(2)).fields()


def test_a_problem_reads_as_its_equations_and_numbers():
    shown = repr(problem())
    assert "d_t rho = div( 0.1 grad rho - rho 1 grad c )" in shown
    assert "density={'rho': Gaussian(size=mass 1, center=0, std=0.4)}" in shown
    assert repr(initial.array(np.ones(GRID.shape))) == "FromArray(values=float64[8, 10])"


def test_a_logarithm_of_nothing_is_refused():
    def problem(offset, base):
        law = models.Logarithmic(1.0, offset)
        flat = jc.initial.function(lambda x: base + jnp.maximum(x[..., 0], 0))
        grid = jc.Grid.box(-1.0, 1.0, 8)
        return jc.Problem(models.phks(0.1, law), grid, jc.initial.uniform(amplitude=1.0), flat)

    with pytest.raises(ValueError, match=r"`signal` 'c' is 0 somewhere, where species 'rho' .* an `offset`"):
        problem(0.0, 0.0)
    assert problem(0.1, 0.0) and problem(0.0, 0.1)


INTERVAL = jc.Grid.box(-1.0, 1.0, 16)


def on_interval(density, grid=INTERVAL, signal=initial.uniform(amplitude=1.0)):
    return jc.Problem(jc.models.phks(0.1, 1.0), grid, density, signal)


@pytest.mark.parametrize(
    "condition, grid, numbers, instead",
    [
        (initial.gaussian(mass=1.0, std=0.2, center=0.8), INTERVAL, ("16%", "0.841345"), "amplitude=1.99471"),
        (initial.gaussian(mass=2.0, std=0.2, center=1.5), INTERVAL, ("99%", "0.0124193"), "amplitude=3.98942"),
        (initial.ball(mass=1.0, radius=5.0), INTERVAL, ("80%", "0.2"), "amplitude=0.1"),
        (
            initial.gaussian(mass=1.0, std=1.0),
            jc.RadialGrid(2.0, 40, ndim=3),
            ("26%", "0.738536"),
            "amplitude=0.0634936",
        ),
        (initial.ring(mass=1.0, radius=0.8, width=0.25), GRID, ("18%", "0.82041"), "amplitude=0.31745"),
    ],
)
def test_a_mass_that_is_cut_is_warned_of(condition, grid, numbers, instead):
    """With both numbers, in the line that states it; and what the warning says would do, does."""
    with pytest.warns(UserWarning, match="`density` has .* of its mass outside .* That part is not there") as seen:
        given = on_interval(condition, grid)
    assert len(seen) == 1 and seen[0].filename == __file__
    message = str(seen[0].message)
    assert all(one in message for one in numbers) and message.endswith(f"instead of the mass: {instead}.")
    size = type(condition.size)(jnp.asarray(float(instead.split("=")[1])), is_mass=False)
    same = dataclasses.replace(condition, size=size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = on_interval(same, grid)
    np.testing.assert_allclose(quiet.fields()[0]["rho"], given.fields()[0]["rho"], rtol=1e-5)


def test_a_signal_given_by_its_mass_is_warned_of_and_a_mixture_by_its_parts():
    wide = initial.gaussian(mass=1.0, std=0.5)
    with pytest.warns(UserWarning, match="`signal` has 4.6% of its mass outside"):
        on_interval(initial.uniform(mass=1.0), signal=wide)
    tall = initial.gaussian(amplitude=5.0, std=0.5, center=1.0)
    with pytest.warns(UserWarning, match="`density` has 2.3% .* of a mass of 2 .* have 1.9545"):
        on_interval(initial.mixture([wide, tall, initial.gaussian(mass=1.0, std=0.125), initial.uniform(mass=1.0)]))


@pytest.mark.parametrize(
    "condition",
    [
        initial.gaussian(amplitude=1.0, std=0.2, center=1.0),
        initial.gaussian(mass=1.0, std=0.3),  # 0.086% lie outside
        initial.ball(mass=1.0, radius=1.0),
        initial.uniform(mass=1.0),
        initial.function(lambda x: 1 + x[..., 0] ** 2),
    ],
)
def test_nothing_is_said_where_little_is_cut_or_no_mass_is_stated(condition):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        on_interval(condition)
        jax.jit(lambda mass: on_interval(initial.gaussian(mass=mass, std=0.2, center=0.8)).fields()[0]["rho"])(1.0)
        jc.Problem(jc.models.keller_segel(1.0, 1.0, relaxation=0), jc.FreeSpace(2), initial.gaussian(mass=1.0, std=9.0))


@pytest.mark.parametrize(
    "condition",
    [
        initial.gaussian(mass=1.0, std=0.2, center=7.0),
        initial.gaussian(amplitude=1.0, std=0.2, center=-2.1),
        initial.ball(mass=1.0, radius=0.5, center=3.0),
        initial.mixture([initial.gaussian(mass=1.0, std=0.2, center=side) for side in (-7.0, 7.0)]),
    ],
)
def test_a_density_that_is_elsewhere_is_refused_and_a_signal_is_not(condition):
    with pytest.raises(ValueError, match=r"`density` is not in the domain: .* Move its `center`"):
        on_interval(condition)
    both = initial.mixture([initial.uniform(mass=1.0), initial.gaussian(amplitude=1.0, std=0.2, center=7.0)])
    assert on_interval(both, signal=initial.gaussian(amplitude=1.0, std=0.2, center=7.0))
