"""Fronts, spikes and the free energy, on shapes that are known and on runs that obey a law."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import analysis


def test_a_front_is_found_between_cells():
    grid = jc.Grid.box(0.0, 10.0, 20)
    ramps = jnp.stack([jnp.clip(1 - (grid.axes[0] - place) / 3, 0, 1) for place in (1.0, 2.5, 4.0)])
    places = analysis.front(ramps, grid, 0.5)
    np.testing.assert_allclose(places, [2.5, 4.0, 5.5], atol=1e-12)
    np.testing.assert_allclose(analysis.front_speed(np.arange(3.0), places), 1.5)
    assert np.isnan(analysis.front(jnp.zeros(20), grid, 0.5))
    assert analysis.front(jnp.ones(20), grid, 0.5) == pytest.approx(9.75)
    ball = jc.RadialGrid(2.0, 40, 3)
    assert analysis.front(2 - ball.radii, ball, 0.73) == pytest.approx(1.27)


@pytest.mark.parametrize("shift", [0, 13, 50, 87])
def test_spikes_and_their_masses(shift):
    grid = jc.Grid.box(0.0, 1.0, 100, jc.Periodic())
    x = np.asarray(grid.axes[0])
    profile = sum(
        h * np.exp(-(((x - a + 0.5) % 1 - 0.5) ** 2) / 2e-4) for a, h in ((0.205, 2.0), (0.505, 1.0), (0.805, 3.0))
    )
    found = analysis.spikes(np.roll(profile, shift), grid, threshold=0.1)
    order = np.argsort(found.heights)
    np.testing.assert_allclose(found.heights[order], [1, 2, 3], rtol=1e-6)
    np.testing.assert_allclose(found.masses[order], np.array([1, 2, 3]) * np.sqrt(2e-4 * np.pi), rtol=1e-6)
    assert analysis.spikes(np.full(100, 1.0), grid).places.size == 0


def test_a_spike_at_a_wall_and_what_has_no_axis():
    grid = jc.Grid.box(0.0, 1.0, 10)
    assert analysis.spikes(np.exp(-np.asarray(grid.axes[0])), grid).places == pytest.approx([0.05])
    with pytest.raises(ValueError, match="`grid` must have one dimension"):
        analysis.front(np.ones(4), jc.Grid.box((0, 0), (1, 1), (2, 2)), 0.5)
    with pytest.raises(ValueError, match="`density` must have the shape"):
        analysis.spikes(np.ones(4), jc.Grid.box((0, 0), (1, 1), (2, 2)))


@pytest.mark.parametrize("boundary", [jc.Periodic(), jc.NoFlux()])
def test_spots_in_the_plane(boundary):
    grid = jc.Grid.box((0.0, 0.0), (1.0, 2.0), (50, 100), boundary)
    spots = [((0.31, 0.51), 1.0), ((0.51, 1.61), 2.0), ((0.71, 0.51), 3.0)]
    x = np.asarray(grid.centers)
    density = sum(h * np.exp(-np.sum((x - np.array(a)) ** 2, -1) / 2e-3) for a, h in spots)
    found = analysis.spikes(density, grid, threshold=0.1)
    np.testing.assert_allclose(found.heights, [1, 2, 3], rtol=1e-6)
    np.testing.assert_allclose(found.places, [a for a, _ in spots], rtol=1e-12)
    np.testing.assert_allclose(found.masses, np.array([1, 2, 3]) * np.pi * 2e-3, rtol=1e-5)
    assert analysis.spikes(density, grid).masses.sum() == pytest.approx(float(grid.integrate(jnp.asarray(density))))
    # A spot that lies across the corner of a torus is one, across that of a box it is one for each piece.
    moved = np.roll(density, (-35, -25), (0, 1))
    pieces = analysis.spikes(moved, grid, threshold=0.1).heights.size
    assert pieces == 3 if isinstance(boundary, jc.Periodic) else pieces > 3


@pytest.mark.parametrize("boundary", [jc.Periodic(), jc.NoFlux()])
def test_the_wavelength_of_waves_and_of_nothing(boundary):
    grid = jc.Grid.box((0.0, 0.0), (6.0, 4.0), (48, 32), boundary)
    x = np.asarray(grid.centers)
    assert analysis.wavelength(1 + 0.1 * np.cos(np.pi * x[..., 0]), grid) == pytest.approx(2.0)
    slanted = np.cos(np.pi * x[..., 0] / 3) * np.cos(np.pi * x[..., 1] / 2)
    assert analysis.wavelength(slanted, grid) == pytest.approx(2 / np.hypot(1 / 3, 1 / 2))
    assert np.isnan(analysis.wavelength(np.full(grid.shape, 0.1), grid))


@pytest.mark.slow
def test_an_aggregate_has_the_height_and_width_of_its_law():
    """u = u_m sech^2(b x), b = chi M / (4 Du Dv), u_m = chi M^2 / (8 Du Dv): a narrow spike in one dimension."""
    grid = jc.Grid.box(0.0, 10.0, 1000, jc.Periodic())
    start = jc.initial.gaussian(mass=10.0, center=5.0, std=0.2)
    problem = jc.Problem(
        jc.models.keller_segel(1.0, 160.0, decay=1.0, diffusivity=20.0), grid, start, jc.initial.uniform(amplitude=1.0)
    )
    u = jc.solve(problem, jc.FiniteVolume(), t1=0.4, dt=4e-5, adjoint=jc.Forward()).final.density
    found = analysis.spikes(u, grid, threshold=1.0)
    mass, height, b = 10.0, 160 * 100 / 160, 160 * 10 / 80
    assert found.masses == pytest.approx([mass], rel=1e-3)
    assert found.heights == pytest.approx([height], rel=0.03)  # what decays around the spike is not in the law
    law = height / np.cosh(b * (np.asarray(grid.axes[0]) - 5.0)) ** 2
    assert float(jnp.max(jnp.abs(u - law))) < 0.04 * height


@pytest.mark.slow
@pytest.mark.parametrize("relaxation", [1.0, 0])
def test_the_free_energy_falls_at_its_rate(relaxation):
    model = jc.models.keller_segel(0.5, 1.5, relaxation, decay=0.7, diffusivity=0.3, production=1.2)
    rates, energies = [], []
    grid = jc.Grid.box(0.0, 4.0, 128)
    waves = jc.initial.function(lambda x: 1 + 0.5 * jnp.cos(np.pi / 4 * x[..., 0]))
    flat = jc.initial.uniform(amplitude=1.0)
    problem = jc.Problem(model, grid, waves, flat if relaxation else None)
    saveat = jc.SaveAt(every=1)
    run = jc.solve(problem, jc.FiniteVolume(), t1=0.02, dt=2e-4, saveat=saveat)
    watch = analysis.diagnostics(problem)
    for k in range(101):
        energies.append(float(watch(jc.Snapshot(run.ys.density[k], run.ys.signal[k]))["free_energy"]))
    u, c, h = run.ys.density[50], run.ys.signal[50], 4 / 128
    force = jnp.diff(0.5 * jnp.log(u) - 1.5 * c) / h
    rates = -jnp.sum(0.5 * (u[1:] + u[:-1]) * force**2) * h
    if relaxation:
        change = (run.ys.signal[51] - run.ys.signal[49]) / 4e-4
        rates -= 1.5 / 1.2 * jnp.sum(change**2) * h
    assert np.all(np.diff(energies) < 0)
    assert (energies[51] - energies[49]) / 4e-4 == pytest.approx(float(rates), rel=2e-3)
