"""Initial conditions: what stands on the grid and what is sampled as particles are one and the same field."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxchemo as jc
from jaxchemo import initial
from jaxchemo.initial import truncated

BOXES = {
    1: jc.Grid.box(-2.0, 2.4, 33),
    2: jc.Grid.box((-2.0, -2.2), (2.4, 2.0), (33, 28)),
    3: jc.Grid.box((-2.0, -2.2, -2.1), (2.4, 2.0, 2.1), (26, 25, 27)),
}
CENTER, STD = (0.2, -0.3, 0.1), (0.3, 0.35, 0.25)


def bumpy(x):
    return 1.5 + jnp.sin(2 * x[..., 0]) * jnp.cos(x[..., -1])


def conditions(ndim):
    """One of each, with mass 1.7 where it can be given."""
    center, box = CENTER[:ndim], BOXES[ndim]
    known = {
        "gaussian": initial.gaussian(mass=1.7, center=center, std=STD[:ndim]),
        "tall gaussian": initial.gaussian(amplitude=3.0, center=0.1, std=0.3),
        "mixture": initial.mixture(
            [initial.gaussian(mass=0.5, center=center, std=0.2), initial.gaussian(mass=1.2, center=-0.5, std=0.3)]
        ),
        "ball": initial.ball(mass=1.7, center=center, radius=1.1),
        "uniform": initial.uniform(mass=1.7),
        "function": initial.function(bumpy),
        "array": initial.array(np.random.default_rng(0).uniform(0.2, 1.0, box.shape)),
        "perturbed": initial.perturbed(1.3, noise=0.5, seed=3),
    }
    if ndim > 1:
        known["ring"] = initial.ring(mass=1.7, center=center, radius=0.8, width=0.2)
    if ndim > 2:
        known["sideways ring"] = initial.ring(amplitude=2.0, center=center, radius=0.8, width=0.2, axis=0)
    return known


def drawn(condition, seed, n, grid):
    """Samples of both kinds, compiled once."""
    kinds = initial.Random(), initial.Sobol()
    draw = eqx.filter_jit(lambda of: [of.sample(jax.random.key(seed), n, grid, points) for points in kinds])
    return list(zip(kinds, map(np.asarray, draw(condition)), strict=True))


EVERY = [(ndim, name) for ndim in BOXES for name in conditions(ndim)]


@pytest.mark.parametrize("ndim, name", EVERY)
def test_the_mass_on_the_grid_is_the_mass(ndim, name):
    condition, grid = conditions(ndim)[name], BOXES[ndim]
    on_grid, mass = eqx.filter_jit(lambda of: (of.on_grid(grid), of.mass_in(grid)))(condition)
    assert on_grid.shape == grid.shape and bool(jnp.all(on_grid >= 0))
    mass = float(mass)
    # Three Gauss points per cell and axis.
    assert float(grid.integrate(on_grid)) == pytest.approx(mass, rel=5e-6)
    if name in ("ball", "uniform"):
        assert mass == pytest.approx(1.7, rel=1e-14)
    if name in ("gaussian", "mixture", "ring"):  # what lies beyond the walls is some 1e-6
        assert mass == pytest.approx(1.7, rel=5e-6)
    if name in ("gaussian", "mixture", "ring", "ball"):
        assert float(condition.mass_in(jc.FreeSpace(ndim))) == pytest.approx(1.7, rel=1e-14)


def moments(x):
    """`x_i` and `x_i x_j`."""
    ndim = x.shape[-1]
    return [*np.moveaxis(x, -1, 0), *[x[..., i] * x[..., j] for i in range(ndim) for j in range(i, ndim)]]


def gauss(grid, order=4):
    """All Gauss points of the cells, and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    axes = [(np.asarray(c)[:, None] + 0.5 * h * nodes).ravel() for c, h in zip(grid.axes, grid.spacing, strict=True)]
    each = [np.tile(0.5 * h * weights, n) for h, n in zip(grid.spacing, grid.shape, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1), math.prod(np.meshgrid(*each, indexing="ij"))


def exact_moments(condition, grid):
    """Mean of `x_i` and of `x_i x_j` under the normalised field."""
    ndim = grid.ndim
    pairs = [(i, j) for i in range(ndim) for j in range(i, ndim)]
    if isinstance(condition, type(initial.ball(mass=1.0, radius=1.0))):
        c, spread = np.array(condition.center), float(condition.radius) ** 2 / (ndim + 2)
        return np.array([*c, *[c[i] * c[j] + (i == j) * spread for i, j in pairs]])
    if isinstance(condition, initial.AbstractProfile) and not isinstance(condition, type(initial.uniform(mass=1.0))):
        x, weights = gauss(grid)
        weights = weights * np.asarray(condition(jnp.asarray(x)))
    else:
        x, weights = gauss(grid, 2)
        weights = weights * np.kron(condition.on_grid(grid), np.ones((2,) * ndim))
    values = [np.sum(weights * one) for one in moments(x)]
    return np.array(values) / float(condition.mass_in(grid))


@pytest.mark.parametrize("ndim, name", EVERY)
def test_sampled_moments_are_those_of_the_field(ndim, name):
    """Random points within five standard errors; Sobol points within one, which only an even set of points keeps."""
    condition, grid = conditions(ndim)[name], BOXES[ndim]
    expected, n = exact_moments(condition, grid), 2**13
    for points, x in drawn(condition, 7, n, grid):
        allowed = 5.0 if isinstance(points, initial.Random) else 1.0
        assert x.shape == (n, ndim)
        assert np.all((np.array(grid.lower) <= x) & (x <= np.array(grid.upper)))
        terms = np.stack(moments(x))
        errors = np.abs(terms.mean(1) - expected) / (terms.std(1) / math.sqrt(n))
        assert np.max(errors) < allowed, (points, errors)


@pytest.mark.parametrize("name", [name for name in conditions(2) if name != "ball"])
def test_sampled_histogram_is_the_field_on_the_grid(name):
    """A chi-square test over all cells of a coarser grid that expect enough particles."""
    grid = jc.Grid.box((-2.0, -2.2), (2.4, 2.0), (11, 14))
    condition, n = conditions(2)[name], 40_000
    if name == "array":
        condition = initial.array(np.random.default_rng(0).uniform(0.0, 1.0, grid.shape))
    fine = condition if name in ("array", "perturbed", "uniform", "function") else None
    average = condition.on_grid(grid) if fine else grid.average(condition, order=8)
    expected = np.asarray(average * grid.cell_volume / condition.mass_in(grid)) * n
    x = condition.sample(jax.random.key(1), n, grid)
    counts = np.zeros(grid.shape)
    np.add.at(counts, tuple(np.asarray(i) for i in grid.cell_of(tuple(x.T))), 1)
    enough = expected > 5
    assert expected[~enough].sum() < 0.02 * n
    statistic, cells = np.sum((counts - expected)[enough] ** 2 / expected[enough]), enough.sum()
    assert scipy.stats.chi2.sf(statistic, cells) > 1e-4


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_ball_is_filled_evenly(ndim):
    condition, grid = conditions(ndim)["ball"], BOXES[ndim]
    y = np.asarray(condition.sample(jax.random.key(2), 5000, grid)) - np.array(CENTER[:ndim])
    shells = (np.linalg.norm(y, axis=1) / 1.1) ** ndim
    assert scipy.stats.kstest(shells, "uniform").pvalue > 1e-3
    assert np.all(np.abs(np.mean(y > 0, axis=0) - 0.5) < 5 * 0.5 / np.sqrt(5000))


def test_values_are_the_formulas():
    x = jnp.array([[0.3, -0.2, 0.5]])
    gaussian = initial.gaussian(mass=1.7, center=CENTER, std=STD)
    y = (np.array(x[0]) - CENTER) / STD
    expected = 1.7 * np.exp(-np.sum(y**2) / 2) / (2 * np.pi) ** 1.5 / np.prod(STD)
    assert float(gaussian(x)[0]) == pytest.approx(expected, rel=1e-13)
    tall = initial.gaussian(amplitude=3.0, center=CENTER, std=STD)
    assert float(tall(jnp.array([CENTER]))[0]) == 3.0
    both = initial.mixture([gaussian, tall])
    assert float(both(x)[0]) == pytest.approx(float(gaussian(x)[0] + tall(x)[0]), rel=1e-14)
    ring = initial.ring(amplitude=2.0, radius=0.8, width=0.2)
    on_ring = jnp.array([[0.8 * np.cos(1.0), 0.8 * np.sin(1.0), 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.2]])
    np.testing.assert_allclose(ring(on_ring), [2, 2 * np.exp(-8), 2 * np.exp(-1)], rtol=1e-12)
    ball = initial.ball(amplitude=2.0, radius=1.0)
    np.testing.assert_array_equal(ball(jnp.array([[0.0, 0.9], [0.8, 0.8]])), [2, 0])
    np.testing.assert_array_equal(initial.uniform(amplitude=2.0)(x), [2.0])


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_on_a_radial_grid(ndim):
    grid = jc.RadialGrid(2.5, 60, ndim=ndim)
    for condition in (
        initial.gaussian(mass=1.7, std=0.4),
        initial.ball(mass=1.7, radius=1.0),
        initial.uniform(mass=1.7),
    ):
        assert float(grid.integrate(condition.on_grid(grid))) == pytest.approx(1.7, rel=1e-6)


def test_a_ball_that_is_cut_by_a_wall_is_not_made_heavier():
    grid = jc.Grid.box((0.0, -2.0), (2.0, 2.0), (40, 80))
    half = float(grid.integrate(initial.ball(mass=1.7, radius=1.0).on_grid(grid)))
    assert half == pytest.approx(0.85, rel=0.01)


def test_perturbed_is_as_noisy_as_told():
    grid = BOXES[2]
    field = np.asarray(initial.perturbed(2.0, noise=0.1, seed=1).on_grid(grid))
    assert np.all(np.abs(field / 2 - 1) <= 0.1) and np.std(field / 2) == pytest.approx(0.1 / np.sqrt(3), rel=0.1)
    assert not np.array_equal(field, initial.perturbed(2.0, noise=0.1, seed=2).on_grid(grid))


def test_particles_are_themselves():
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    condition, grid = initial.particles(x, mass=2.0), BOXES[2]
    np.testing.assert_allclose(condition.sample(jax.random.key(0), 50, grid), x, atol=1e-15)
    on_grid = condition.on_grid(grid)
    assert float(grid.integrate(on_grid)) == pytest.approx(2.0)
    counts, _, _ = np.histogram2d(*x.T, bins=grid.shape, range=list(zip(grid.lower, grid.upper, strict=True)))
    np.testing.assert_allclose(on_grid, counts * 2.0 / 50 / grid.cell_volume, atol=1e-12)
    with pytest.raises(ValueError, match="The initial condition has 50 particles, the method 60"):
        condition.sample(jax.random.key(0), 60, grid)


CUT = {
    "gaussian": (1, lambda: initial.gaussian(mass=1.7, center=0.9, std=0.5)),
    "far gaussian": (1, lambda: initial.gaussian(mass=1.7, center=-1.9, std=0.3)),
    "gaussian in a corner": (2, lambda: initial.gaussian(mass=1.7, center=(1.1, -0.9), std=(0.4, 0.6))),
    "ring": (2, lambda: initial.ring(mass=1.7, center=(0.7, 0.2), radius=0.8, width=0.2)),
    "sideways ring": (3, lambda: initial.ring(amplitude=1.7, center=0.4, radius=0.8, width=0.25, axis=0)),
    "ball": (2, lambda: initial.ball(mass=1.7, center=(-0.6, 0.3), radius=0.9)),
    "ball around the box": (1, lambda: initial.ball(mass=1.7, radius=5.0)),
    "mixture": (
        2,
        lambda: initial.mixture(
            [
                initial.ring(mass=1.7, center=(0.7, 0.2), radius=0.8, width=0.2),
                initial.gaussian(mass=0.9, center=(-1.1, 0.0), std=0.3),
                initial.gaussian(mass=50.0, center=(-20.0, 0.0), std=0.3),
                initial.mixture([initial.uniform(amplitude=0.05)]),
            ]
        ),
    ),
}
SIDES = {"closed": jc.NoFlux(), "periodic": jc.Periodic(), "absorbing": jc.Dirichlet(0.0)}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "sideways ring" else n for n in CUT])
def test_what_a_domain_cuts_off_is_not_there(name):
    """The mass is that of the field, and the particles have its density: a chi-square test over coarse cells."""
    ndim, build = CUT[name]
    condition, n, each = build(), 20_000, {1: 48, 2: 12, 3: 5}[ndim]
    fine, coarse = (jc.Grid.box((-1.0,) * ndim, (1.0,) * ndim, (k * each,) * ndim) for k in (5, 1))
    field = np.asarray(fine.average(condition, order=4) * fine.cell_volume)
    exact = field.sum()
    edge = 0.02 if isinstance(condition, type(initial.ball(mass=1.0, radius=1.0))) else 1e-5  # few points see its edge
    assert float(condition.mass_in(fine)) == pytest.approx(exact, rel=edge)
    assert float(fine.integrate(condition.on_grid(fine))) == pytest.approx(float(condition.mass_in(fine)), rel=5e-6)
    expected = field.reshape([side for _ in range(ndim) for side in (each, 5)]).sum(tuple(range(1, 2 * ndim, 2)))
    expected = expected / exact * n
    for _, x in drawn(condition, 1, n, fine):
        assert np.all(np.abs(x) <= 1)
        counts = np.zeros(coarse.shape)
        np.add.at(counts, tuple(np.asarray(i) for i in coarse.cell_of(tuple(x.T))), 1)
        enough = expected > 5
        assert expected[~enough].sum() < 0.02 * n
        statistic = np.sum((counts - expected)[enough] ** 2 / expected[enough])
        assert scipy.stats.chi2.sf(statistic, enough.sum()) > 1e-4


@pytest.mark.parametrize("side", SIDES)
def test_nothing_is_brought_in_from_outside(side):
    """Neither mirrored, nor wrapped, nor piled up at a wall."""
    grid = jc.Grid.box(0.0, 1.0, 16, SIDES[side])
    x = initial.gaussian(mass=1.0, center=0.9, std=0.1).sample(jax.random.key(0), 4096, grid, initial.Sobol())
    assert np.all((x > 0) & (x < 1)) and np.mean(x > 0.9) == pytest.approx(scipy.stats.truncnorm.sf(0, -9, 1), abs=2e-3)
    y = initial.ball(mass=1.0, center=0.9, radius=0.5).sample(jax.random.key(0), 4096, grid, initial.Sobol())
    assert np.all((y > 0.375) & (y < 1)) and np.mean(y) == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("center", [-9.0, -3.0, 0.0, 4.0, 9.0])
def test_tails_keep_their_digits_in_single_precision(center):
    """Nine standard deviations away too: the share to a few units of round-off, the positions to some of a box."""
    u = np.linspace(0.001, 0.999, 57)
    ends = np.float32(-1 - center), np.float32(1 - center)
    law = scipy.stats.truncnorm(*map(float, ends))
    exact = law.ppf(u) if center <= 0 else -scipy.stats.truncnorm(-float(ends[1]), -float(ends[0])).isf(u)
    exact = np.where(np.isfinite(exact), exact, 0)
    found = truncated.quantile(jnp.asarray(u, jnp.float32), *map(jnp.asarray, ends))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, exact, atol=2e-5)
    size = scipy.stats.norm.cdf(-abs(abs(center) - 1)) - scipy.stats.norm.cdf(-abs(center) - 1)
    size = size if center else 1 - 2 * scipy.stats.norm.cdf(-1.0)
    np.testing.assert_allclose(truncated.share(*map(jnp.asarray, ends)), size, rtol=1e-4)


def test_a_part_of_a_mixture_that_is_far_away_leaves_gradients_finite():
    def sample(center):
        near, far = initial.gaussian(mass=1.0, center=0.1, std=0.3), initial.gaussian(mass=1.0, center=center, std=0.1)
        return initial.mixture([near, far]).sample(jax.random.key(0), 64, jc.Grid.box(-1.0, 1.0, 16))

    assert bool(jnp.all(jnp.isfinite(jax.jacfwd(sample)(100.0))))


def slopes(f, at, h=1e-5):
    """The derivative of `f` by one number, and what differences make of it; compiled once for both."""
    both = jax.jit(lambda p: jax.jvp(f, (p,), (jnp.ones_like(p),)))
    up, down = (np.asarray(both(at + s)[0]) for s in (h, -h))
    return np.asarray(both(at)[1]), (up - down) / (2 * h)


SAMPLE_PARAMETERS = {
    "gaussian center": (lambda p: initial.gaussian(mass=1.0, center=(p, 0.1), std=(0.3, 0.2)), 0.2),
    "gaussian std": (lambda p: initial.gaussian(mass=1.0, center=(0.2, 0.1), std=(p, 0.2)), 0.3),
    "ring radius": (lambda p: initial.ring(mass=1.0, radius=p, width=0.1), 0.8),
    "ring width": (lambda p: initial.ring(mass=1.0, radius=0.8, width=p), 0.1),
    "ring center": (lambda p: initial.ring(mass=1.0, radius=0.8, width=0.1, center=(p, 0.0)), 0.1),
    "ball radius": (lambda p: initial.ball(mass=1.0, radius=p), 0.8),
    "center of a cut gaussian": (lambda p: initial.gaussian(mass=1.0, center=(p, 0.1), std=(0.5, 0.2)), 2.2),
    "std of a cut gaussian": (lambda p: initial.gaussian(mass=1.0, center=(-2.3, 0.1), std=(p, 0.2)), 0.6),
    "center of a cut ring": (lambda p: initial.ring(mass=1.0, radius=0.8, width=0.1, center=(p, 0.1)), 2.1),
    "part of a mixture": (
        lambda p: initial.mixture([initial.gaussian(mass=1.0, center=p, std=0.2), initial.ball(mass=2.0, radius=0.5)]),
        0.3,
    ),
    "cell values": (lambda p: initial.array(1 + 0.3 * jnp.sin(p + jnp.arange(33 * 28.0)).reshape(33, 28)), 0.7),
}


@pytest.mark.parametrize("name", SAMPLE_PARAMETERS)
def test_gradients_of_samples(name):
    """Positions follow the numbers of their distribution: pathwise, and right for every particle."""
    build, at = SAMPLE_PARAMETERS[name]
    kinds = initial.Random(), initial.Sobol()
    both = slopes(lambda p: jnp.stack([build(p).sample(jax.random.key(3), 200, BOXES[2], k) for k in kinds]), at)
    for slope, numeric in zip(*both, strict=True):
        # A particle on the edge between two cells or two parts jumps, and has no derivative there.
        smooth = np.abs(numeric) < 50
        assert np.mean(smooth) > 0.95 and np.max(np.abs(slope)) > 0.1
        np.testing.assert_allclose(slope[smooth], numeric[smooth], rtol=1e-5, atol=1e-5)


def test_gradients_of_gaussian_samples_are_exact():
    def sample(center, std):
        return initial.gaussian(mass=1.0, center=center, std=std).sample(jax.random.key(3), 100, jc.FreeSpace(2))

    center, std = jnp.array([0.1, -0.2]), jnp.array([0.2, 0.3])
    by_center, by_std = jax.jacfwd(sample, argnums=(0, 1))(center, std)
    np.testing.assert_allclose(by_center, np.broadcast_to(np.eye(2), (100, 2, 2)), atol=1e-14)
    expected = (sample(center, std) - center) / std
    np.testing.assert_allclose(by_std, np.asarray(expected)[:, :, None] * np.eye(2), atol=1e-12)


FIELD_PARAMETERS = SAMPLE_PARAMETERS | {
    "mass": (lambda p: initial.gaussian(mass=p, std=0.3), 1.2),
    "amplitude": (lambda p: initial.ring(amplitude=p, radius=0.8, width=0.2), 1.2),
    "share of a mixture": (
        lambda p: initial.mixture([initial.gaussian(mass=p, std=0.2), initial.gaussian(mass=2.0, std=0.5)]),
        0.3,
    ),
    "mass of a ball": (lambda p: initial.ball(mass=p, radius=0.8), 1.2),
    "uniform": (lambda p: initial.uniform(mass=p), 1.2),
    "perturbation": (lambda p: initial.perturbed(1.0, noise=p), 0.3),
}


@pytest.mark.parametrize("name", sorted(set(FIELD_PARAMETERS) - {"ball radius"}))
def test_gradients_of_fields(name):
    build, at = FIELD_PARAMETERS[name]
    slope, numeric = slopes(lambda p: build(p).on_grid(BOXES[2]), at)
    assert np.max(np.abs(slope)) > 1e-2
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-7)


def test_a_ring_has_a_gradient_on_its_axis():
    ring = initial.ring(mass=1.0, radius=0.8, width=0.2)
    np.testing.assert_array_equal(jax.grad(ring)(jnp.zeros(2)), [0, 0])


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: initial.gaussian(std=0.1), ValueError, "exactly one of `mass` and `amplitude`"),
        (
            lambda: initial.gaussian(mass=1.0, amplitude=1.0, std=0.1),
            ValueError,
            "exactly one of `mass` and `amplitude`",
        ),
        (lambda: initial.gaussian(mass=0.0, std=0.1), ValueError, "`mass` must be positive, got 0.0"),
        (lambda: initial.gaussian(amplitude=-1.0, std=0.1), ValueError, "`amplitude` must not be negative"),
        (lambda: initial.gaussian(mass=1.0, std=0.0), ValueError, "`std` must be positive"),
        (lambda: initial.gaussian(mass=1.0, std=(0.1, -0.1)), ValueError, "`std` must be positive"),
        (lambda: initial.gaussian(mass=1.0, std=0.1, center=np.nan), ValueError, "`center` must be finite"),
        (lambda: initial.gaussian(mass=1.0, std=0.1, center="here"), TypeError, "`center` must be a number"),
        (lambda: initial.mixture([]), ValueError, "`parts` must hold at least one initial condition"),
        (
            lambda: initial.mixture([initial.array(np.ones(3))]),
            TypeError,
            "`parts` must be initial conditions given by",
        ),
        (lambda: initial.ring(mass=1.0, radius=0.0, width=0.1), ValueError, "`radius` must be positive"),
        (lambda: initial.ring(mass=1.0, radius=1.0, width=-0.1), ValueError, "`width` must be positive"),
        (lambda: initial.ring(mass=1.0, radius=1.0, width=0.1, axis=3), ValueError, "`axis` must be 0, 1 or 2, got 3"),
        (lambda: initial.ball(mass=1.0, radius=-1.0), ValueError, "`radius` must be positive"),
        (lambda: initial.uniform(), ValueError, "exactly one of `mass` and `amplitude`"),
        (lambda: initial.perturbed(-1.0), ValueError, "`value` must not be negative"),
        (lambda: initial.perturbed(1.0, noise=1.5), ValueError, "`noise` must be at most 1"),
        (lambda: initial.perturbed(1.0, seed=-1), ValueError, "`seed` must be at least 0, got -1"),
        (lambda: initial.perturbed(1.0, seed=0.5), TypeError, "`seed` must be an integer"),
        (lambda: initial.function(3.0), TypeError, "`f` must be a function of points"),
        (lambda: initial.array([1.0, np.nan]), ValueError, "`values` must be finite"),
        (lambda: initial.array([[1.0, 2.0], [3.0]]), TypeError, "`values` must be a number or an array"),
        (lambda: initial.particles(np.ones(3)), ValueError, r"`positions` must have shape \(n, d\), got \(3,\)"),
        (lambda: initial.particles([[0.0, np.inf]]), ValueError, "`positions` must be finite"),
        (lambda: initial.particles(np.ones((3, 2)), mass=0.0), ValueError, "`mass` must be positive"),
    ],
)
def test_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_a_uniform_mass_has_no_value_without_a_grid():
    with pytest.raises(ValueError, match="give `amplitude`"):
        initial.uniform(mass=1.0)(jnp.zeros((1, 2)))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_ring_is_smooth_beside_its_axis_in_single_precision(axis):
    """As near to the axis as a particle comes, where round-off of the height is larger than the distance."""
    tube = initial.ring(amplitude=4.0, center=(0.0, 0.0, 0.0), radius=1.1, width=0.4, axis=axis)
    points = np.random.default_rng(0).normal(size=(500, 3)) * 10 ** np.random.default_rng(1).uniform(-6, -2, (500, 1))
    points[:, axis] = np.linspace(-1.7, 1.7, 500)
    single = jax.tree.map(lambda a: a.astype(jnp.float32), tube)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(single)))(jnp.asarray(points, jnp.float32))
    exact, exact_slopes = jax.vmap(jax.value_and_grad(tube))(jnp.asarray(np.float32(points), float))
    np.testing.assert_allclose(values, exact, rtol=1e-5)
    np.testing.assert_allclose(slopes, exact_slopes, atol=1e-5)
