import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import exponent

from jaxchemo.domain import Dirichlet, Grid, Mixed, NoFlux, Periodic, RadialGrid
from jaxchemo.fields import Centred, Drift, ScharfetterGummel, Upwind, bernoulli, diffusion, fitted_flux, fluxes

drift_diffusion, outflow_rate = eqx.filter_jit(fluxes.drift_diffusion), eqx.filter_jit(fluxes.outflow_rate)

CLOSED = {
    "walls": Grid.box((0.0, 0.0), (1.0, 2.0), (7, 9), NoFlux()),
    "torus": Grid.box((0.0, 0.0), (1.0, 2.0), (7, 9), Periodic()),
    "channel": Grid.box((0.0, 0.0, 0.0), (1.0, 2.0, 0.5), (5, 4, 6), (Periodic(), NoFlux(), Periodic())),
    "line": Grid.box(0.0, 3.0, 11, NoFlux()),
    "disk": RadialGrid(2.0, 13, ndim=2),
    "ball": RadialGrid(2.0, 13, ndim=3, stretching=2.0),
}
OPEN = {
    "absorbing": Grid.box((0.0, 0.0), (1.0, 2.0), (7, 9), Dirichlet(0.0)),
    "one end": Grid.box((0.0, 0.0), (1.0, 2.0), (6, 5), ((NoFlux(), Dirichlet({"rho": 0.7, "c": 0.2})), Periodic())),
    "open ball": RadialGrid(2.0, 13, ndim=3, boundary=Dirichlet({"rho": 0.5})),
}
FLUXES = [ScharfetterGummel(), Centred(), Upwind()]
seeds = st.integers(0, 2**31)


def fields(grid, seed, steepness=1.0):
    rng = np.random.default_rng(seed)
    return jnp.array(rng.uniform(0.0, 2.0, grid.shape)), jnp.array(steepness * rng.normal(size=grid.shape))


def crowding(density):
    return 1 - density / 5


def slow_rate(density, phi, mobility, spacing, ghosts):
    """The definition, face by face; `ghosts` returns `(density, phi, distance in cells)`, or `None` where closed."""
    rate = np.zeros(density.shape)
    for index in np.ndindex(*density.shape):
        for axis, side in itertools.product(range(density.ndim), (-1, 1)):
            other = list(index)
            other[axis] += side
            inside = 0 <= other[axis] < density.shape[axis]
            beyond = (density[tuple(other)], phi[tuple(other)], 1) if inside else ghosts(index, axis, side)
            if beyond is None:
                continue
            w = (beyond[1] - phi[index]) / mobility
            b = lambda x: x / np.expm1(x)  # noqa: E731
            outflow = -mobility / (beyond[2] * spacing[axis]) * (b(w) * beyond[0] - b(-w) * density[index])
            rate[index] -= outflow / spacing[axis]
    return rate


def wrapped(density, phi, index, axis):
    n = density.shape[axis]
    other = list(index)
    other[axis] = n - 1 - other[axis]
    return density[tuple(other)], phi[tuple(other)], 1


def test_agrees_with_the_definition_face_by_face():
    """Two dimensions, different spacings, walls of every kind."""
    shape, upper, mobility = (4, 3), (1.0, 2.4), 0.3
    spacing = tuple(b / n for b, n in zip(upper, shape, strict=True))
    rng = np.random.default_rng(1)
    rho, phi = rng.uniform(0, 2, shape), rng.normal(size=shape)

    def compute(boundary):
        grid = Grid.box((0.0, 0.0), upper, shape, boundary)
        return np.asarray(drift_diffusion(jnp.array(rho), mobility, grid, [Drift(jnp.array(phi), "c")], name="rho"))

    expected = slow_rate(rho, phi, mobility, spacing, lambda index, axis, side: None)
    np.testing.assert_allclose(compute(NoFlux()), expected, rtol=1e-12, atol=1e-12)

    expected = slow_rate(rho, phi, mobility, spacing, lambda index, axis, side: wrapped(rho, phi, index, axis))
    np.testing.assert_allclose(compute(Periodic()), expected, rtol=1e-12, atol=1e-12)

    def ghosts(index, axis, side):
        if axis == 0:
            return wrapped(rho, phi, index, axis)
        return (0.7, 0.2, 0.5) if side == 1 else None

    boundary = (Periodic(), Mixed(NoFlux(), Dirichlet({"rho": 0.7, "c": 0.2})))
    expected = slow_rate(rho, phi, mobility, spacing, ghosts)
    np.testing.assert_allclose(compute(boundary), expected, rtol=1e-12, atol=1e-12)


def test_flux_is_the_formula():
    below, above, w = jnp.array([1.0, 2.0, 0.5]), jnp.array([0.3, 2.0, 4.0]), jnp.array([-3.0, 1e-9, 5.0])
    expected = -0.2 * (bernoulli(w) * above - bernoulli(-w) * below)
    np.testing.assert_allclose(fitted_flux(below, above, w, 0.2), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
@pytest.mark.parametrize("grid", CLOSED.values(), ids=CLOSED.keys())
@given(seed=seeds, steepness=st.floats(0.0, 100.0))
def test_mass_is_conserved_without_open_walls(grid, flux, seed, steepness):
    rho, phi = fields(grid, seed, steepness)
    rate = drift_diffusion(rho, 0.1, grid, [Drift(phi), Drift(phi, crowding=crowding)], flux=flux)
    size = grid.integrate(jnp.abs(rate)) + 1e-300
    assert abs(grid.integrate(rate)) <= 1e-14 * size


@pytest.mark.parametrize("grid", CLOSED.values(), ids=CLOSED.keys())
@given(seed=seeds)
def test_no_flux_at_the_steady_state(grid, seed):
    """`rho = exp(phi / D)` is at rest face by face, whatever the potential."""
    _, phi = fields(grid, seed, 0.5)
    mobility = 0.4
    rho = jnp.exp(phi / mobility)
    rate = drift_diffusion(rho, mobility, grid, [Drift(phi)])
    scale = jnp.max(rho * outflow_rate(rho, mobility, grid, [Drift(phi)]))
    assert jnp.max(jnp.abs(rate)) <= 1e-14 * scale


@pytest.mark.parametrize("grid", (CLOSED | OPEN).values(), ids=(CLOSED | OPEN).keys())
@pytest.mark.parametrize("flux", [ScharfetterGummel(), Upwind()], ids=repr)
@given(seed=seeds, mobility=st.floats(1e-3, 1e3))
def test_positive_at_cell_peclet_100(grid, flux, seed, mobility):
    """Up to the largest step that `outflow_rate` allows, no cell goes negative: not by round-off either."""
    rho, phi = fields(grid, seed)
    rho, mobility = jnp.where(rho < 1, 0.0, rho), jnp.array(mobility)
    drifts = [Drift(100 * mobility * jnp.round(phi))]
    rate = drift_diffusion(rho, mobility, grid, drifts, name="rho", flux=flux)
    dt = (1 - 1e-13) / jnp.max(outflow_rate(rho, mobility, grid, drifts, name="rho", flux=flux))
    assert jnp.min(rho + dt * rate) >= 0


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
@pytest.mark.parametrize("grid", (CLOSED | OPEN).values(), ids=(CLOSED | OPEN).keys())
def test_outflow_rate_is_the_diagonal_of_the_operator(grid, flux):
    rho, phi = fields(grid, 3)
    phi = jnp.exp(phi)
    mobility = phi + (5 * jnp.max(phi) if isinstance(flux, Centred) else 0.3)  # Peclet numbers below 2
    settings = dict(mobility=mobility, grid=grid, drifts=[Drift(phi, "c")], name="rho", flux=flux)
    operator = functools.partial(drift_diffusion, **settings)
    matrix, diagonal = jax.jit(
        lambda rho: (jax.jacfwd(operator)(rho).reshape(rho.size, rho.size), fluxes.outflow_rate(rho, **settings))
    )(rho)
    np.testing.assert_allclose(diagonal.ravel(), -np.diag(matrix), rtol=1e-12)


@pytest.mark.parametrize("flux, order", [*zip(FLUXES, (2, 2, 1), strict=True)], ids=map(repr, FLUXES))
@pytest.mark.parametrize("boundary", [NoFlux(), Periodic()], ids=str)
def test_order(boundary, flux, order):
    """Against the exact divergence of the flux, on grids of different spacing along the two axes."""

    def rho_of(x):
        return 1 + 0.5 * jnp.cos(2 * jnp.pi * x[0]) * jnp.cos(jnp.pi * x[1])

    def phi_of(x):
        return jnp.cos(2 * jnp.pi * x[0]) + 0.7 * jnp.cos(jnp.pi * x[1])

    def mobility_of(x):
        return 0.3 + 0.1 * jnp.cos(2 * jnp.pi * x[0])

    def flux_of(x):
        return mobility_of(x) * jax.grad(rho_of)(x) - crowding(rho_of(x)) * rho_of(x) * jax.grad(phi_of)(x)

    def at(f, x):
        return jax.vmap(jax.vmap(f))(x)

    @functools.partial(jax.jit, static_argnums=0)
    def error(n):
        grid = Grid.box((0.0, 0.0), (1.0, 2.0), (n, 3 * n // 2), boundary)
        x = grid.centers
        drifts = [Drift(at(phi_of, x), crowding=crowding)]
        rate = fluxes.drift_diffusion(at(rho_of, x), at(mobility_of, x), grid, drifts, flux=flux)
        return jnp.sqrt(jnp.mean((rate - at(lambda y: jnp.trace(jax.jacfwd(flux_of)(y)), x)) ** 2))

    sizes = (16, 32, 64)
    errors = [float(error(n)) for n in sizes]
    assert exponent(sizes, errors) == pytest.approx(-order, abs=0.1), errors


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_radial_diffusion_reaches_the_exact_steady_state(ndim):
    """A unit source everywhere and a wall that keeps the value 0: `u = (R^2 - r^2) / (2 d D)`."""
    grid = RadialGrid(1.5, 40, ndim=ndim, boundary=Dirichlet(0.0))
    mobility = 0.7
    r = np.asarray(grid.radii)
    operator = jax.jit(jax.jacfwd(lambda u: diffusion(u, mobility, grid, name="u")))(jnp.zeros(40))
    u = np.linalg.solve(operator, -np.ones(40))
    np.testing.assert_allclose(u, (1.5**2 - r**2) / (2 * ndim * mobility), atol=2e-3)


def test_gradients_are_finite_and_right():
    grid = Grid.box((0.0, 0.0), (1.0, 2.0), (5, 4), (NoFlux(), Periodic()))
    rho, phi = fields(grid, 5)
    flat = phi.at[:2].set(1.0)  # faces without any potential difference

    @jax.jit
    def loss(rho, phi, mobility):
        return jnp.sum(jnp.sin(drift_diffusion(rho, mobility, grid, [Drift(phi, crowding=crowding)])))

    for potential in (phi, flat):
        gradients = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(rho, potential, 0.3)
        assert all(bool(jnp.all(jnp.isfinite(g))) for g in gradients)
        h = 1e-6
        central = (loss(rho, potential, 0.3 + h) - loss(rho, potential, 0.3 - h)) / (2 * h)
        assert float(gradients[2]) == pytest.approx(float(central), rel=1e-7)
        direction = jnp.cos(jnp.arange(20.0)).reshape(5, 4)
        central = (loss(rho, potential + h * direction, 0.3) - loss(rho, potential - h * direction, 0.3)) / (2 * h)
        assert float(jnp.sum(gradients[1] * direction)) == pytest.approx(float(central), rel=1e-6)


def test_dtype_follows_the_density():
    grid = CLOSED["channel"]
    rho, phi = (x.astype(jnp.float32) for x in fields(grid, 0))
    assert drift_diffusion(rho, 0.1, grid, [Drift(phi)]).dtype == jnp.float32
    assert outflow_rate(rho, 0.1, grid, [Drift(phi)]).dtype == jnp.float32


@pytest.mark.slow
def test_no_drift_is_diffusion():
    grid = OPEN["one end"]
    rho, phi = fields(grid, 0)
    plain = diffusion(rho, 0.2, grid, name="rho")
    np.testing.assert_allclose(drift_diffusion(rho, 0.2, grid, [Drift(0 * phi)], name="rho"), plain, rtol=1e-13)


def test_an_absorbing_wall_takes_only_what_reaches_it():
    """A drift away from the wall, cell Peclet number 40: what is lost falls off as `exp(-w/2)` and is not upwinded."""
    grid = Grid.box(0.0, 1.0, 16, Mixed(Dirichlet({"rho": 0.0}), NoFlux()))
    rho, h, mobility = jnp.ones(16), 1 / 16, 0.1
    away = 40 * mobility / h * grid.axes[0]
    lost = -h * jnp.sum(drift_diffusion(rho, mobility, grid, [Drift(away)], name="rho"))
    assert 0 < float(lost) < 1e-6
    towards = -h * jnp.sum(drift_diffusion(rho, mobility, grid, [Drift(-away)], name="rho"))
    np.testing.assert_allclose(towards, 40 * mobility / h, rtol=1e-6)  # all that drifts into the wall


@pytest.mark.parametrize("boundary", [NoFlux(), Dirichlet({"rho": 1.0})], ids=["closed", "open"])
def test_a_limited_drift_knows_the_whole_gradient(boundary):
    """In a uniform gradient aslant to the axes the drift is the same everywhere, and so is the flux that it carries."""
    grid = Grid.box((0.0, 0.0), (2.0, 3.0), (8, 10), boundary)
    slope = jnp.array([3.0, 4.0])
    potential = grid.centers @ slope
    factor = jnp.tanh(5.0 / 2.0) / (5.0 / 2.0)

    def limit(speed):
        return jnp.tanh(speed / 2.0) / (speed / 2.0)

    density = jnp.ones(grid.shape)
    limited = drift_diffusion(density, 0.3, grid, [Drift(potential, limit=limit)], name="rho")
    plain = drift_diffusion(density, 0.3, grid, [Drift(factor * potential)], name="rho")
    inner = (slice(1, -1),) * 2  # next to a wall a linear potential is no longer one
    np.testing.assert_allclose(limited[inner], plain[inner], atol=1e-12)
    inside = jax.random.uniform(jax.random.key(0), grid.shape).at[0].set(0).at[-1].set(0).at[:, 0].set(0)
    inside = inside.at[:, -1].set(0).at[1].set(0).at[-2].set(0).at[:, 1].set(0).at[:, -2].set(0)
    np.testing.assert_allclose(
        drift_diffusion(inside, 0.3, grid, [Drift(potential, limit=limit)], name="rho")[2:-2, 2:-2],
        drift_diffusion(inside, 0.3, grid, [Drift(factor * potential)], name="rho")[2:-2, 2:-2],
        atol=1e-12,
    )


def test_nothing_passes_a_wall_that_holds_no_value():
    grid = Grid.box(0.0, 1.0, 8, Dirichlet({"other": 1.0}))
    density = jax.random.uniform(jax.random.key(0), (8,))
    drifts = [Drift(3 * grid.axes[0])]
    closed = drift_diffusion(density, 0.3, Grid.box(0.0, 1.0, 8), drifts, name="rho")
    np.testing.assert_array_equal(drift_diffusion(density, 0.3, grid, drifts, name="rho"), closed)
    assert float(jnp.sum(drift_diffusion(density, 0.3, grid, drifts, name="other"))) != pytest.approx(0, abs=0.1)


def test_derivatives_of_a_limited_drift_are_finite_where_nothing_is_steep():
    grid = Grid.box((0.0, 0.0), (1.0, 1.0), (5, 4))

    def total(potential):
        drift = Drift(potential, limit=lambda speed: 1 / (1 + speed))
        return jnp.sum(drift_diffusion(jnp.ones(grid.shape), 0.3, grid, [drift]) ** 2)

    assert bool(jnp.all(jnp.isfinite(jax.grad(total)(jnp.zeros(grid.shape)))))
