"""Geometry: cells fill their domain, fluxes leave through its walls, and averages are integrals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxchemo as jc
from jaxchemo.domain import Dirichlet, Mixed, NoFlux, Periodic

BOXES = {
    1: jc.Grid.box(-1.0, 2.0, 7),
    2: jc.Grid.box((-1.0, 0.0), (2.0, 0.5), (7, 4)),
    3: jc.Grid.box((-1.0, 0.0, 3.0), (2.0, 0.5, 4.0), (7, 4, 5)),
}
BALLS = {
    (ndim, stretching): jc.RadialGrid(1.5, 9, ndim=ndim, stretching=stretching)
    for ndim in (1, 2, 3, 5)
    for stretching in (0.0, 2.0)
}
GRIDS = [*BOXES.values(), *BALLS.values()]
ball_volume = lambda d, r: math.pi ** (d / 2) / math.gamma(d / 2 + 1) * r**d  # noqa: E731


@pytest.mark.parametrize("grid", BOXES.values(), ids=repr)
def test_box(grid):
    size = np.array(grid.upper) - np.array(grid.lower)
    np.testing.assert_allclose(grid.spacing, size / np.array(grid.shape))
    assert grid.cell_volume == pytest.approx(np.prod(size) / np.prod(grid.shape))
    assert grid.centers.shape == (*grid.shape, grid.ndim)
    first, last = grid.centers[(0,) * grid.ndim], grid.centers[(-1,) * grid.ndim]
    np.testing.assert_allclose(first, np.array(grid.lower) + np.array(grid.spacing) / 2)
    np.testing.assert_allclose(last, np.array(grid.upper) - np.array(grid.spacing) / 2)
    for axis, x in enumerate(grid.axes):
        np.testing.assert_array_equal(np.moveaxis(grid.centers[..., axis], axis, 0).reshape(len(x), -1)[:, 0], x)


@pytest.mark.parametrize("grid", GRIDS, ids=repr)
def test_volumes_fill_the_domain(grid):
    radial = isinstance(grid, jc.RadialGrid)
    whole = ball_volume(grid.ndim, grid.radius) if radial else np.prod(np.array(grid.upper) - np.array(grid.lower))
    assert float(grid.integrate(jnp.ones(grid.shape))) == pytest.approx(whole, rel=1e-13)
    assert np.all(np.asarray(grid.volumes) > 0) and all(np.all(np.asarray(h) > 0) for h in grid.lengths)


@pytest.mark.parametrize("grid", BALLS.values(), ids=repr)
def test_shells(grid):
    d = grid.ndim
    (width,) = grid.lengths
    assert float(jnp.sum(width)) == pytest.approx(1.5, rel=1e-14)
    edges = np.concatenate([[0.0], np.cumsum(width)])
    sphere = d * ball_volume(d, 1.0)
    np.testing.assert_allclose(grid.areas, sphere * edges ** (d - 1), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(grid.radii, (edges[1:] + edges[:-1]) / 2, rtol=1e-13)
    np.testing.assert_allclose(jnp.linalg.norm(grid.centers, axis=-1), grid.radii, rtol=1e-14)
    np.testing.assert_allclose(grid.face_distance(0)[1:-1], np.diff(grid.radii), rtol=1e-13)
    assert (np.ptp(width) < 1e-12) == (grid.stretching == 0)


@pytest.mark.parametrize("grid", BOXES.values(), ids=repr)
@given(seed=st.integers(0, 2**31))
def test_divergence_theorem_in_a_box(grid, seed):
    """What the cells lose is what passes the two end faces."""
    rng = np.random.default_rng(seed)
    for axis in range(grid.ndim):
        flux = jnp.array(rng.normal(size=[n + (i == axis) for i, n in enumerate(grid.shape)]))
        inside = float(grid.integrate(grid.divergence(flux, axis)))
        ends = jnp.take(flux, -1, axis) - jnp.take(flux, 0, axis)
        area = grid.cell_volume / grid.spacing[axis]
        assert inside == pytest.approx(float(jnp.sum(ends)) * area, abs=1e-11 * float(jnp.sum(jnp.abs(flux))))


@pytest.mark.parametrize("grid", BALLS.values(), ids=repr)
@given(seed=st.integers(0, 2**31))
def test_divergence_theorem_in_a_ball(grid, seed):
    flux = jnp.array(np.random.default_rng(seed).normal(size=grid.num_shells + 1))
    through = float(flux[-1] * grid.areas[-1] - flux[0] * grid.areas[0])  # one dimension has area at the centre
    assert float(grid.integrate(grid.divergence(flux, 0))) == pytest.approx(through, abs=1e-11)


@pytest.mark.parametrize("grid", BALLS.values(), ids=repr)
def test_divergence_of_the_radius_is_the_dimension(grid):
    edges = np.concatenate([[0.0], np.cumsum(grid.lengths[0])])
    np.testing.assert_allclose(grid.divergence(jnp.array(edges), 0), grid.ndim, rtol=1e-11)


@pytest.mark.parametrize("grid", BOXES.values(), ids=repr)
def test_average_is_exact_for_polynomials(grid):
    """Three Gauss points integrate degree five in each coordinate."""
    average = grid.average(lambda x: jnp.prod(1 + x**5, axis=-1))
    expected = 1.0
    for a, b, n in zip(grid.lower, grid.upper, grid.shape, strict=True):
        edges = np.linspace(a, b, n + 1)
        expected = np.multiply.outer(expected, np.diff(edges + edges**6 / 6) / np.diff(edges))
    np.testing.assert_allclose(average, expected, rtol=1e-12)


@pytest.mark.parametrize("grid", BALLS.values(), ids=repr)
def test_average_over_shells_weighs_by_area(grid):
    edges, d = np.concatenate([[0.0], np.cumsum(grid.lengths[0])]), grid.ndim
    power = 6 - d  # r^power r^(d-1) has degree five
    average = grid.average(lambda x: jnp.sum(x**2, axis=-1) ** (power / 2), order=3)
    expected = np.diff(edges**6) / 6 / (np.diff(edges**d) / d)
    np.testing.assert_allclose(average, expected, rtol=1e-12)


def test_more_points_average_better():
    grid, f = jc.Grid.box(0.0, 1.0, 2), lambda x: jnp.exp(5 * x[..., 0])
    exact = np.diff(np.exp(5 * np.array([0, 0.5, 1]))) / 5 / 0.5
    errors = [np.max(np.abs(grid.average(f, order) / exact - 1)) for order in (1, 2, 3, 6)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2] and errors[-1] < 1e-11


def test_padding_uses_the_boundary_of_its_axis():
    grid = jc.Grid.box((0.0, 0.0), (1.0, 1.0), (3, 4), (Periodic(), (NoFlux(), Dirichlet({"rho": 2.0}))))
    field = jnp.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(grid.pad(field, 0, name="rho"), np.pad(field, [(1, 1), (0, 0)], mode="wrap"))
    padded = grid.pad(field, 1, name="rho")
    np.testing.assert_array_equal(padded[:, 0], field[:, 0])
    np.testing.assert_array_equal(padded[:, -1], 4 - field[:, -1])
    assert grid.periodic == (True, False) and grid.absorbing


def test_radial_padding_mirrors_at_the_centre():
    field = jnp.array([3.0, 2.0, 1.0])
    grid = jc.RadialGrid(1.0, 3, ndim=2, boundary=Dirichlet(5.0))
    np.testing.assert_array_equal(grid.pad(field, 0, name="rho"), [3, 3, 2, 1, 9])


@given(seed=st.integers(0, 2**31))
def test_particles_and_cells(seed):
    """Folding is by axis, and every particle inside has a cell that holds it."""
    grid = jc.Grid.box((0.0, -1.0), (1.0, 1.0), (4, 5), (Periodic(), Mixed(NoFlux(), Dirichlet(0.0))))
    x = jnp.array(np.random.default_rng(seed).uniform(-0.9, 1.9, (2, 50)))
    folded = grid.fold(tuple(x))
    np.testing.assert_allclose(folded[0], x[0] % 1.0, atol=1e-14)
    np.testing.assert_array_equal(grid.keeps(tuple(x)), x[1] <= 1.0)
    for cell, xi, a, h, n in zip(grid.cell_of(folded), folded, grid.lower, grid.spacing, grid.shape, strict=True):
        assert np.all((cell >= 0) & (cell < n))
        assert np.all((a + cell * h <= xi + 1e-14) & (xi <= a + (cell + 1) * h + 1e-14))
    assert BOXES[2].keeps(tuple(x)) is True and not BOXES[2].absorbing


def test_free_space_has_no_walls():
    space, x = jc.FreeSpace(2), (jnp.array([1e9]), jnp.array([-5.0]))
    assert space.fold(x) == x and space.keeps(x) is True and space.ndim == 2


def test_grids_are_structure_not_numbers():
    """A grid is known when a program is compiled, except the values its walls prescribe."""
    assert jax.tree.leaves(BOXES[3]) == [] and jax.tree.leaves(BALLS[2, 2.0]) == []
    assert len(jax.tree.leaves(jc.Grid.box(0.0, 1.0, 4, Dirichlet({"rho": 1.0, "c": 2.0})))) == 2


@pytest.mark.parametrize(
    "grid, text",
    [
        (BOXES[1], "Grid.box((-1.0,), (2.0,), shape=(7,), boundary=NoFlux())"),
        (BALLS[3, 2.0], "RadialGrid(radius=1.5, num_shells=9, ndim=3, boundary=NoFlux())"),
    ],
)
def test_repr(grid, text):
    assert repr(grid) == text


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: jc.Grid.box(1.0, 0.0, 4), ValueError, "`lower` must be finite and smaller than `upper`"),
        (lambda: jc.Grid.box(0.0, float("nan"), 4), ValueError, "`lower` must be finite and smaller than `upper`"),
        (
            lambda: jc.Grid.box((0,) * 4, (1,) * 4, (4,) * 4),
            ValueError,
            "`lower` must have 1, 2 or 3 coordinates, got 4",
        ),
        (
            lambda: jc.Grid.box((0, 0), (1, 1), (4, 4, 4)),
            ValueError,
            "`lower`, `upper` and `shape` must agree in length",
        ),
        (lambda: jc.Grid.box((0, 0), 1, (4, 4)), ValueError, "`lower`, `upper` and `shape` must agree in length"),
        (lambda: jc.Grid.box(0, 1, 1), ValueError, "`shape` must be at least 2, got 1"),
        (lambda: jc.Grid.box((0, 0), (1, 1), (4, 4.5)), TypeError, "`shape` must be an integer, got 4.5"),
        (
            lambda: jc.Grid.box((0, 0), (1, 1), (4, 4), (NoFlux(),)),
            ValueError,
            r"`boundary` must be one object or one per axis \(2\), got 1",
        ),
        (lambda: jc.Grid.box(0, 1, 4, ["walls"]), TypeError, "`boundary` must be a boundary such as NoFlux"),
        (lambda: jc.RadialGrid(0.0, 4, ndim=2), ValueError, "`radius` must be positive"),
        (lambda: jc.RadialGrid(1.0, 1, ndim=2), ValueError, "`num_shells` must be at least 2, got 1"),
        (lambda: jc.RadialGrid(1.0, 4, ndim=0), ValueError, "`ndim` must be at least 1, got 0"),
        (lambda: jc.RadialGrid(1.0, 4, ndim=2, stretching=-1.0), ValueError, "`stretching` must not be negative"),
        (
            lambda: jc.RadialGrid(1.0, 4, ndim=2, boundary=Periodic()),
            TypeError,
            "`boundary` of a RadialGrid is its outer wall",
        ),
        (lambda: jc.FreeSpace(4), ValueError, "`ndim` must be 1, 2 or 3, got 4"),
        (lambda: jc.FreeSpace(2.0), TypeError, "`ndim` must be an integer, got 2.0"),
    ],
)
def test_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_a_ball_can_be_built_inside_jit_but_not_of_what_is_traced():
    assert jax.jit(lambda x: x * jnp.sum(jc.RadialGrid(2.0, 4, 2, stretching=1.0).volumes))(1.0) == pytest.approx(
        4 * np.pi
    )
    with pytest.raises(TypeError, match="`radius` must be known before compilation"):
        jax.jit(lambda r: jnp.sum(jc.RadialGrid(r, 4, 2).volumes))(1.0)


def test_shells_must_be_numbers_of_their_own_in_the_current_precision():
    assert float(jnp.min(jc.RadialGrid(1.0, 16, 3, stretching=60.0).volumes)) > 0
    with jax.enable_x64(False):
        jc.RadialGrid(1.0, 16, 3, stretching=20.0)
        with pytest.raises(ValueError, match=r"`stretching` 60, with .* leaves shells .* in float32"):
            jc.RadialGrid(1.0, 16, 3, stretching=60.0)
