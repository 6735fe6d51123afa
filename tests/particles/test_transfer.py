"""Deposit and gather: the identities that hold for every order, dimension and boundary."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxchemo.domain.boundary import Dirichlet, NoFlux, Periodic
from jaxchemo.domain.grid import Grid
from jaxchemo.particles import transfer

# Compiled once per order and grid; what is tested is the public functions, with the grid as an argument.
deposit, gather = eqx.filter_jit(transfer.deposit), eqx.filter_jit(transfer.gather)
ORDERS = (0, 1, 2, 3)
LOWER, UPPER, SHAPE = (-1.0, 0.5, 2.0), (1.5, 3.0, 3.0), (7, 5, 6)  # anisotropic: three different spacings
WALLS = {
    1: [[NoFlux()], [Periodic()]],
    2: [[NoFlux(), Periodic()]],
    3: [[NoFlux(), Periodic(), NoFlux()], [Periodic(), NoFlux(), Periodic()]],
}
CASES = [
    pytest.param(order, walls, id=f"order{order}-{''.join(type(w).__name__[0] for w in walls)}")
    for order in ORDERS
    for ndim in (1, 2, 3)
    for walls in WALLS[ndim]
]
everywhere = pytest.mark.parametrize("order, walls", CASES)


def box(walls):
    d = len(walls)
    return Grid.box(LOWER[:d], UPPER[:d], SHAPE[:d], walls)


def cloud(grid, num, seed=0):
    """Positions all over the box, among them its two corners."""
    rng = np.random.default_rng(seed)
    ends = zip(grid.lower, grid.upper, strict=True)
    return tuple(jnp.asarray(np.concatenate([[a, b], rng.uniform(a, b, num - 2)])) for a, b in ends)


def away_from_kinks(grid, num, order, seed=0):
    """Positions whose kernels stay the same polynomials under a small displacement."""
    rng = np.random.default_rng(seed)
    shift = 0.5 if order % 2 else 0.0  # odd kernels change polynomial at centres, even ones at faces
    x = []
    for a, h, n in zip(grid.lower, grid.spacing, grid.shape, strict=True):
        cell = rng.integers(0, n - 1, num) + shift + rng.uniform(0.05, 0.45, num)
        x.append(jnp.asarray(a + h * cell))
    return tuple(x)


def central(function, x, direction, eps=1e-5):
    plus, minus = (jax.tree.map(lambda p, q, s=s: p + s * eps * q, x, direction) for s in (1, -1))
    return (function(plus) - function(minus)) / (2 * eps)


@everywhere
def test_deposit_and_gather_are_adjoint(order, walls):
    grid, rng = box(walls), np.random.default_rng(1)
    x = cloud(grid, 200)
    amount, field = jnp.asarray(rng.normal(size=200)), jnp.asarray(rng.normal(size=grid.shape))
    left = jnp.sum(deposit(x, amount, grid, order) * field)
    right = jnp.sum(amount * gather(field, x, grid, order)[0])
    assert left == pytest.approx(float(right), abs=1e-11)


@everywhere
def test_particles_give_all_they_carry_and_the_weights_sum_to_one(order, walls):
    grid = box(walls)
    x = cloud(grid, 200)
    field = deposit(x, jnp.ones(200), grid, order)
    assert jnp.sum(field) == pytest.approx(200.0, abs=1e-11)
    assert jnp.all(field >= -1e-16)
    value, gradient = gather(jnp.ones(grid.shape), x, grid, order)
    np.testing.assert_allclose(value, 1.0, atol=1e-14)
    for slope, h in zip(gradient, grid.spacing, strict=True):
        np.testing.assert_allclose(slope * h, 0.0, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("walls", [NoFlux(), Periodic()], ids=["N", "P"])
@given(x=st.floats(-1.0, 1.5), order=st.sampled_from(ORDERS), cells=st.sampled_from((4, 5, 8)))
def test_a_particle_anywhere_keeps_its_mass_and_its_place(x, order, cells, walls):
    """Also where its kernel reaches over a wall, or over both, and on the wall itself."""
    grid = Grid.box(-1.0, 1.5, cells, walls)
    position = (jnp.array([x]),)
    field = deposit(position, 2.5, grid, order)
    assert jnp.sum(field) == pytest.approx(2.5, abs=1e-14)
    reach = (order + 1) / 2 * grid.spacing[0] * (1 + 1e-12)
    distance = jnp.abs(grid.centers[:, 0] - x)
    distance = jnp.minimum(distance, 2.5 - distance) if grid.periodic[0] else distance
    assert not jnp.any(jnp.where(distance > reach, field, 0.0))


@everywhere
def test_the_kernel_is_the_spline_of_a_larger_box_folded_back(order, walls):
    """A mirrored kernel is the free one, reflected; a wrapped one is the free one, taken modulo the period."""
    grid, margin = box(walls), 4
    wide = Grid.box(
        [a - margin * h for a, h in zip(grid.lower, grid.spacing, strict=True)],
        [b + margin * h for b, h in zip(grid.upper, grid.spacing, strict=True)],
        [n + 2 * margin for n in grid.shape],
    )
    x = tuple(xi[2:] for xi in cloud(grid, 202, seed=2))  # in a corner, round-off decides between two cells of order 0
    expected = np.asarray(deposit(x, jnp.ones(200), wide, order))
    for axis, (n, periodic) in enumerate(zip(grid.shape, grid.periodic, strict=True)):
        i = np.arange(-margin, n + margin)
        inside = i % n if periodic else np.where(i < 0, -1 - i, np.where(i >= n, 2 * n - 1 - i, i))
        folded = np.zeros((n, *np.delete(expected.shape, axis)))
        np.add.at(folded, inside, np.moveaxis(expected, axis, 0))
        expected = np.moveaxis(folded, 0, axis)
    np.testing.assert_allclose(deposit(x, jnp.ones(200), grid, order), expected, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_translation_by_whole_cells_on_a_periodic_grid(order):
    grid = box([Periodic()] * 3)
    x = tuple(xi[2:] for xi in cloud(grid, 100))
    moved = grid.fold(tuple(xi + k * h for xi, k, h in zip(x, (2, -1, 3), grid.spacing, strict=True)))
    rolled = jnp.roll(deposit(x, 1.0, grid, order), (2, -1, 3), (0, 1, 2))
    np.testing.assert_allclose(deposit(moved, 1.0, grid, order), rolled, atol=1e-12)


@pytest.mark.parametrize("order", (1, 2, 3))
@pytest.mark.parametrize("ndim", (1, 2, 3))
def test_linear_fields_are_exact_in_the_interior(order, ndim):
    grid = box([NoFlux()] * ndim)
    slopes = (0.7, -1.3, 2.1)[:ndim]
    field = 0.4 + sum(s * grid.centers[..., a] for a, s in enumerate(slopes))
    rng = np.random.default_rng(0)
    inner = zip(grid.lower, grid.upper, grid.spacing, strict=True)
    x = tuple(jnp.asarray(rng.uniform(a + 2 * h, b - 2 * h, 50)) for a, b, h in inner)
    value, gradient = gather(field, x, grid, order)
    np.testing.assert_allclose(value, 0.4 + sum(s * xi for s, xi in zip(slopes, x, strict=True)), atol=1e-13)
    for g, s in zip(gradient, slopes, strict=True):
        np.testing.assert_allclose(g, s, atol=1e-12)


@everywhere
def test_gradient_is_the_derivative_of_the_value(order, walls):
    """By reverse mode for every order; for order 0 both are zero: a histogram has no pathwise gradient."""
    grid, rng = box(walls), np.random.default_rng(1)
    x, field = cloud(grid, 200), jnp.asarray(rng.normal(size=grid.shape))
    _, gradient = gather(field, x, grid, order)
    derivative = jax.jit(jax.grad(lambda x: jnp.sum(transfer.gather(field, x, grid, order)[0])))(x)
    for g, d in zip(gradient, derivative, strict=True):
        np.testing.assert_allclose(g, d, atol=1e-11)
    if order == 0:
        assert not any(jnp.any(g) for g in gradient)
        assert not any(jnp.any(g) for g in jax.grad(lambda x: jnp.sum(deposit(x, 1.0, grid, 0) * field))(x))


@pytest.mark.parametrize("order", (1, 2, 3))
@pytest.mark.parametrize("kernel", ("deposit", "gather"))
def test_forward_and_reverse_mode_against_central_differences(kernel, order):
    """Through positions, amounts and the field, and through the spline's gradient: its second derivatives."""
    grid, rng = box([Periodic(), NoFlux()]), np.random.default_rng(3)
    num = 30
    x = away_from_kinks(grid, num, order)
    other = jnp.asarray(rng.normal(size=num if kernel == "deposit" else grid.shape))
    probe = jnp.asarray(rng.normal(size=grid.shape if kernel == "deposit" else (grid.ndim + 1, num)))

    @jax.jit
    def function(inputs):
        x, other = inputs
        if kernel == "deposit":
            return jnp.sum(jnp.sin(transfer.deposit(x, other, grid, order)) * probe)
        value, gradient = transfer.gather(other, x, grid, order)
        return jnp.sum(jnp.sin(jnp.stack([value, *gradient])) * probe)

    inputs = (x, other)
    direction = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape)), inputs)
    expected = central(function, inputs, direction)
    forward = jax.jit(lambda i, d: jax.jvp(function, (i,), (d,))[1])(inputs, direction)
    gradients = jax.tree.leaves(jax.jit(jax.grad(function))(inputs))
    reverse = sum(jnp.sum(g * d) for g, d in zip(gradients, jax.tree.leaves(direction), strict=True))
    assert forward == pytest.approx(float(expected), rel=1e-6, abs=1e-6)
    assert reverse == pytest.approx(float(forward), rel=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_depositing_onto_a_field_adds_to_it(order):
    grid, rng = box([NoFlux(), Periodic(), NoFlux()]), np.random.default_rng(0)
    x, field = cloud(grid, 40), jnp.asarray(rng.normal(size=grid.shape))
    np.testing.assert_allclose(
        deposit(x, 0.3, grid, order, onto=field), field + deposit(x, 0.3, grid, order), atol=1e-14
    )


def test_a_field_carried_in_a_loop_is_updated_in_place():
    """Temporary memory of a step that deposits and gathers does not grow with the grid."""

    def temporary(n):
        grid = Grid.box((0, 0, 0), (1, 1, 1), (n, n, n))

        def body(_, state):
            x, field = state
            _, gradient = transfer.gather(field, x, grid, 1)
            x = grid.fold(tuple(xi + 1e-3 * g for xi, g in zip(x, gradient, strict=True)))
            return x, transfer.deposit(x, 1.0, grid, 1, onto=field)

        def loop(state):
            return jax.lax.fori_loop(0, 3, body, state)

        state = (tuple(jnp.ones(100) / 2 for _ in range(3)), jnp.zeros(grid.shape))
        return jax.jit(loop, donate_argnums=0).lower(state).compile().memory_analysis().temp_size_in_bytes

    assert temporary(48) < temporary(16) + 48**3


@pytest.mark.parametrize("order", (0, 1, 3))
def test_vmap_is_a_loop(order):
    grid, rng = box([NoFlux(), Periodic()]), np.random.default_rng(0)
    clouds = [cloud(grid, 20, seed) for seed in range(3)]
    fields = jnp.asarray(rng.normal(size=(3, *grid.shape)))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *clouds)
    deposited = jax.jit(jax.vmap(lambda x: transfer.deposit(x, 1.0, grid, order)))(stacked)
    gathered = jax.jit(jax.vmap(lambda f, x: transfer.gather(f, x, grid, order)))(fields, stacked)
    for i, x in enumerate(clouds):
        np.testing.assert_allclose(deposited[i], deposit(x, 1.0, grid, order), atol=1e-14)
        expected = gather(fields[i], x, grid, order)
        for ours, theirs in zip(jax.tree.leaves(gathered), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours[i], theirs, atol=1e-13)


def test_precision_follows_the_inputs():
    grid = box([NoFlux()] * 2)
    x = tuple(xi.astype(jnp.float32) for xi in cloud(grid, 10))
    field = deposit(x, 1.0, grid, 3)
    assert field.dtype == jnp.float32
    value, gradient = gather(field, x, grid, 3)
    assert {value.dtype, *(g.dtype for g in gradient)} == {jnp.dtype("float32")}


def test_a_particle_that_is_nowhere_is_seen_and_harms_no_memory():
    grid = box([NoFlux(), Periodic()])
    x = (jnp.array([jnp.nan, 0.0]), jnp.array([1.0, jnp.nan]))
    assert jnp.isnan(deposit(x, 1.0, grid, 1)).any()
    assert jnp.isnan(gather(jnp.ones(grid.shape), x, grid, 1)[0]).all()


@pytest.mark.parametrize("call, message", [
    (lambda g, x: deposit(x, 1.0, g, 4), "`order`"),
    (lambda g, x: gather(jnp.ones(g.shape), x[:1], g, 1), "`x` must be a tuple"),
    (lambda g, x: gather(jnp.ones((3, 3)), x, g, 1), "`field` must have the shape"),
    (lambda g, x: deposit(x, 1.0, g, 1, onto=jnp.ones(5)), "`onto` must have the shape"),
    (lambda g, x: deposit(x, 1.0, Grid.box((0, 0), (1, 1), (8, 3)), 3), "more than `order` = 3 cells"),
])  # fmt: skip
def test_bad_input_is_refused(call, message):
    grid = box([NoFlux(), NoFlux()])
    with pytest.raises(ValueError, match=message):
        call(grid, cloud(grid, 3))


def test_absorbing_walls_mirror_the_kernel_too():
    walls = [Dirichlet(0.0)]
    x = (jnp.array([LOWER[0] + 0.01]),)
    np.testing.assert_allclose(deposit(x, 1.0, box(walls), 1), deposit(x, 1.0, box([NoFlux()]), 1))


def test_orders_and_dimensions_covered():
    assert {(p.values[0], len(p.values[1])) for p in CASES} == set(itertools.product(ORDERS, (1, 2, 3)))
