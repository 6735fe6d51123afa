"""Boundaries as laws of space: what a wall does to a path and to a field, for any input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxchemo as jc
from jaxchemo.domain import Dirichlet, Mixed, NoFlux, Periodic

positions = st.floats(-1e3, 1e3)
boxes = st.tuples(st.floats(-10, 10), st.floats(0.1, 10)).map(lambda ab: (ab[0], ab[0] + ab[1]))
widths = st.integers(1, 3)
columns = st.lists(st.floats(-5, 5), min_size=3, max_size=8).map(jnp.array)


def fold(boundary, x, box):
    return float(boundary.fold(jnp.array([x]), *box)[0])


@pytest.mark.parametrize("boundary", [NoFlux(), Periodic(), Dirichlet(0.0), Mixed(NoFlux(), Dirichlet(0.0))], ids=repr)
@given(x=positions, box=boxes)
def test_folding_ends_in_the_box_and_is_idempotent(boundary, x, box):
    lower, upper = box
    if isinstance(boundary, Mixed):  # takes one crossing at a time
        x = float(np.clip(x, 2 * lower - upper, 2 * upper - lower))
    inside, tolerance = fold(boundary, x, box), 1e-12 * (1 + abs(x))
    assert lower - tolerance <= inside <= upper + tolerance
    again = fold(boundary, inside, box)
    length = upper - lower
    # On a ring the two ends are one point.
    apart = abs(again - inside)
    assert min(apart, abs(apart - length) if isinstance(boundary, Periodic) else apart) <= tolerance


@pytest.mark.parametrize("boundary", [NoFlux(), Periodic(), Dirichlet(0.0), Mixed(NoFlux(), Dirichlet(0.0))], ids=repr)
@given(share=st.floats(0, 1), box=boxes)
def test_folding_leaves_the_inside_alone(boundary, share, box):
    lower, upper = box
    x = lower + 0.999 * share * (upper - lower)
    assert fold(boundary, x, box) == pytest.approx(x, abs=1e-13 * (1 + abs(lower) + abs(upper)))


@given(x=positions, box=boxes, laps=st.integers(-3, 3))
def test_no_flux_mirrors_at_both_walls(x, box, laps):
    lower, upper = box
    tolerance = 1e-11 * (1 + abs(x) + abs(laps) * (upper - lower))
    inside = fold(NoFlux(), x, box)
    assert fold(NoFlux(), 2 * lower - x, box) == pytest.approx(inside, abs=tolerance)
    assert fold(NoFlux(), 2 * upper - x, box) == pytest.approx(inside, abs=tolerance)
    assert fold(NoFlux(), x + 2 * laps * (upper - lower), box) == pytest.approx(inside, abs=tolerance)


@given(x=positions, box=boxes, laps=st.integers(-3, 3))
def test_periodic_is_the_same_after_any_number_of_laps(x, box, laps):
    lower, upper = box
    length, tolerance = upper - lower, 1e-11 * (1 + abs(x) + abs(laps) * (upper - lower))
    apart = abs(fold(Periodic(), x + laps * length, box) - fold(Periodic(), x, box))
    assert min(apart, abs(apart - length)) <= tolerance


@pytest.mark.parametrize("x, slope", [(0.3, 1.0), (1.3, -1.0), (-0.4, -1.0), (2.2, 1.0)])
def test_gradients_through_a_reflection(x, slope):
    assert float(jax.grad(lambda x: NoFlux().fold(x, 0.0, 1.0))(x)) == slope
    assert float(jax.grad(lambda x: Periodic().fold(x, 0.0, 1.0))(x)) == 1.0


@given(x=positions, box=boxes)
def test_who_survives(x, box):
    lower, upper = box
    inside = lower <= x <= upper
    assert NoFlux().keeps(jnp.array([x]), *box) is True and Periodic().keeps(jnp.array([x]), *box) is True
    assert bool(Dirichlet(0.0).keeps(jnp.array([x]), *box)[0]) == inside
    assert bool(Mixed(NoFlux(), Dirichlet(0.0)).keeps(jnp.array([x]), *box)[0]) == (x <= upper)
    assert bool(Mixed(Dirichlet(0.0), NoFlux()).keeps(jnp.array([x]), *box)[0]) == (x >= lower)


def test_which_walls_absorb():
    assert Dirichlet(0.0).empties("u") and Dirichlet({"u": 0.0}).empties("u")
    others = (Dirichlet(1.0), Dirichlet({"u": 1.0}), Dirichlet({"c": 0.0}), Dirichlet(lambda t: 0.0 * t))
    assert not any(wall.empties("u") for wall in others)
    assert not NoFlux().absorbs and not Periodic().absorbs and Dirichlet(1.0).absorbs
    assert Mixed(NoFlux(), Dirichlet(0.0)).absorbs and not Mixed(NoFlux(), NoFlux()).absorbs


def test_mixed_sends_each_side_to_its_own_wall():
    x = jnp.array([-0.2, 0.4, 1.3])
    np.testing.assert_allclose(Mixed(NoFlux(), Dirichlet(0.0)).fold(x, 0.0, 1.0), [0.2, 0.4, 1.0], atol=1e-15)
    np.testing.assert_allclose(Mixed(Dirichlet(0.0), NoFlux()).fold(x, 0.0, 1.0), [0.0, 0.4, 0.7], atol=1e-15)


BOUNDARIES = [NoFlux(), Periodic(), Dirichlet(2.0), Dirichlet({"c": 1.0}), Mixed(NoFlux(), Dirichlet(0.0))]


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=repr)
@given(field=columns, width=widths)
def test_padding_keeps_the_field_and_adds_ghosts(boundary, field, width):
    padded = boundary.pad(field, width, name="rho")
    assert padded.shape == (field.shape[0] + 2 * width,)
    np.testing.assert_array_equal(padded[width:-width], field)


@given(field=columns, width=widths)
def test_no_flux_ghosts_mirror(field, width):
    padded = NoFlux().pad(field, width)
    np.testing.assert_array_equal(padded[:width], field[:width][::-1])
    np.testing.assert_array_equal(padded[-width:], field[-width:][::-1])


@given(field=columns, width=widths)
def test_periodic_ghosts_wrap(field, width):
    padded = Periodic().pad(field, width)
    np.testing.assert_array_equal(padded[:width], field[-width:])
    np.testing.assert_array_equal(padded[-width:], field[:width])


@given(field=columns, width=widths, value=st.floats(-3, 3), t=st.floats(0, 2))
def test_dirichlet_ghosts_put_the_value_on_the_wall(field, width, value, t):
    """The mean of a cell and its mirror image is the prescribed value, transformed where the field is."""
    wall = Dirichlet({"rho": lambda t: value * t})
    padded = wall.pad(field, width, name="rho", t=t, transform=jnp.tanh)
    expected = np.full(width, np.tanh(value * t))
    np.testing.assert_allclose((padded[:width] + field[:width][::-1]) / 2, expected, atol=1e-12)
    np.testing.assert_allclose((padded[-width:] + field[-width:][::-1]) / 2, expected, atol=1e-12)


@given(start=st.floats(-3, 3), slope=st.floats(-3, 3), width=widths)
def test_a_field_without_a_value_is_continued_linearly(start, slope, width):
    line = start + slope * jnp.arange(-3.0, 9.0)
    inside = line[3:-3]
    for name in (None, "c"):
        padded = Dirichlet({"rho": 1.0}).pad(inside, width, name=name)
        np.testing.assert_allclose(padded, line[3 - width : 9 + width], atol=1e-12)


def test_a_line_needs_two_cells():
    with pytest.raises(ValueError, match="at least 2 cells, got 1"):
        Dirichlet({"rho": 1.0}).pad(jnp.ones(1), name="c")


def test_values_by_name_or_for_all():
    assert float(Dirichlet(2.0).value_of("anything", 0.0)) == 2.0
    assert Dirichlet({"rho": 1.0}).value_of("c", 0.0) is None
    assert Dirichlet({"rho": 1.0}).value_of(None, 0.0) is None
    assert float(Dirichlet({"rho": lambda t: 3 * t}).value_of("rho", 2.0)) == 6.0
    assert float(Dirichlet(lambda t: 3 * t).value_of("rho", 2.0)) == 6.0


def test_mixed_pads_each_side_by_its_own_wall():
    padded = Mixed(NoFlux(), Dirichlet(0.0)).pad(jnp.array([1.0, 2.0, 3.0]), 2, name="rho")
    np.testing.assert_array_equal(padded, [2, 1, 1, 2, 3, -3, -2])


def test_wall_values_can_be_differentiated():
    wall = lambda value: jnp.sum(Dirichlet({"rho": value}).pad(jnp.ones(3), 1, name="rho") ** 2)  # noqa: E731
    assert float(jax.grad(wall)(3.0)) == pytest.approx(2 * 2 * 5 * 2)


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: Dirichlet("one"), TypeError, "`value` must be a number"),
        (lambda: Dirichlet({"rho": float("nan")}), ValueError, r"`value\['rho'\]` must be finite, got nan"),
        (lambda: Mixed(Periodic(), NoFlux()), TypeError, "`low` must be what happens at one wall"),
        (lambda: Mixed(NoFlux(), 1.0), TypeError, r"`high` must be NoFlux\(\) or Dirichlet\(...\)"),
        (lambda: jc.Grid.box(0.0, 1.0, 4, [(Periodic(), NoFlux())]), TypeError, "`low` must be"),
    ],
)
def test_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()
