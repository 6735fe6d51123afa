"""The named models of the field, solved: bands, colonies that expand, invasion, two signals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import exponent

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.references import exact

BAND = dict(mobility=300.0, sensitivity=3000.0, consumption=0.126)
SPEED = 0.126 * 2400 / 100
TWO = dict(mobilities=(200.0, 400.0), ratio=8.0, consumption=0.1, speed=3.0, ahead=100.0, phases=(0.0, -150.0))


class TestTravellingBand:
    """reference/keller_segel.md, section 9.1."""

    def at(self, x, t, k):
        return exact.travelling_band(x[..., 0], t, cells=2400.0, ahead=100.0, **BAND)[k]

    def problem(self, n):
        # Long enough for the tail behind the band to hold the other cells.
        grid = jc.Grid.box(-10_000.0, 6_000.0, n)
        start = [jc.initial.function(lambda x, k=k: self.at(x, 0.0, k)) for k in (0, 1)]
        return jc.Problem(jc.models.travelling_band(*BAND.values()), grid, *start)

    @pytest.mark.slow
    def test_it_solves_the_equations(self):
        x, h = jnp.linspace(-3000.0, 2000.0, 9), 1e-3

        def rho(x, t):
            return exact.travelling_band(x, t, cells=2400.0, ahead=100.0, **BAND)[0]

        def c(x, t):
            return exact.travelling_band(x, t, cells=2400.0, ahead=100.0, **BAND)[1]

        def flux(x, t):
            return -300.0 * jax.grad(rho)(x, t) + 3000.0 * rho(x, t) * jax.grad(lambda x: jnp.log(c(x, t)))(x)

        for one in x:
            assert float(jax.grad(rho, 1)(one, h) + jax.grad(flux)(one, h)) == pytest.approx(0, abs=1e-12)
            assert float(jax.grad(c, 1)(one, h) + 0.126 * rho(one, h)) == pytest.approx(0, abs=1e-12)
        assert float(jnp.max(rho(jnp.linspace(-300.0, -100.0, 20001), 0.0))) == pytest.approx(1.8730987, rel=1e-7)

    @pytest.mark.slow
    def test_second_order_the_right_speed_and_profile(self):
        t1, errors = 400.0, []
        for n in (250, 500, 1000):
            problem = self.problem(n)
            grid = problem.domain
            assert isinstance(grid, jc.Grid)
            end = jc.solve(problem, jc.FiniteVolume(), t1=t1, dt="auto", adjoint=jc.Forward()).final
            x, start = grid.axes[0], problem.fields()[0]["rho"]
            moved = (jnp.sum(end.density * x) - jnp.sum(start * x)) / jnp.sum(start)
            errors.append(
                float(jnp.sum(jnp.abs(end.density - grid.average(lambda x: self.at(x, t1, 0)))) / jnp.sum(start))
            )
        assert exponent([250, 500, 1000], errors) == pytest.approx(-2, abs=0.2)
        assert errors[-1] < 0.01
        assert float(moved) / t1 == pytest.approx(SPEED, rel=1e-3)
        assert float(jnp.max(end.density)) == pytest.approx(1.8730987, rel=1e-3)


class TestPhenotypes:
    """Two phenotypes in one band: those that climb better lead, and all keep pace."""

    def at(self, x, t, offset=0.0):
        densities, c = exact.phenotype_band(x, t, offset=offset, **TWO)
        return [*densities, c]

    @pytest.mark.slow
    @pytest.mark.parametrize("offset", [0.0, 2.0])
    def test_it_solves_the_equations(self, offset):
        for x in jnp.linspace(-300.0, 600.0, 7):
            for k, mobility in enumerate(TWO["mobilities"]):

                def rho(x, t, k=k):
                    return self.at(x, t, offset)[k]

                def flux(x, t, rho=rho, mobility=mobility):
                    climb = jax.grad(lambda x: jnp.log(self.at(x, t, offset)[2] + offset))(x)
                    return -mobility * jax.grad(rho)(x, t) + 8 * mobility * rho(x, t) * climb

                assert float(jax.grad(rho, 1)(x, 0.3) + jax.grad(flux)(x, 0.3)) == pytest.approx(0, abs=1e-11)
            eaten = 0.1 * sum(self.at(x, 0.3, offset)[:2])
            assert float(jax.grad(lambda t, x=x: self.at(x, t, offset)[2])(0.3) + eaten) == pytest.approx(0, abs=1e-11)

    def test_one_phenotype_is_the_band_of_1971(self):
        x = jnp.linspace(-900.0, 900.0, 50)
        (rho,), c = exact.phenotype_band(
            x, 5.0, mobilities=[300.0], ratio=10.0, consumption=0.126, speed=SPEED, ahead=100.0, phases=[0.0]
        )
        wanted = exact.travelling_band(x, 5.0, cells=2400.0, ahead=100.0, **BAND)
        np.testing.assert_allclose((rho, c), wanted, rtol=1e-12)

    @pytest.mark.slow
    def test_a_run_keeps_the_band_together(self):
        errors = []
        for n in (300, 600, 1200):
            grid = jc.Grid.box(-8_000.0, 4_000.0, n)
            start = [jc.initial.function(lambda x, k=k: self.at(x[..., 0], 0.0)[k]) for k in range(3)]
            model = jc.models.travelling_band([200.0, 400.0], [1600.0, 3200.0], 0.1)
            problem = jc.Problem(model, grid, {"rho_1": start[0], "rho_2": start[1]}, start[2])
            end = jc.solve(problem, jc.FiniteVolume(), t1=200.0, dt="auto", adjoint=jc.Forward()).final.density
            wanted = [grid.average(lambda x, k=k: self.at(x[..., 0], 200.0)[k]) for k in range(2)]
            gaps = [jnp.sum(jnp.abs(u - w)) / jnp.sum(w) for u, w in zip(end.values(), wanted, strict=True)]
            errors.append(float(max(gaps)))
        assert exponent([300, 600, 1200], errors) == pytest.approx(-2, abs=0.2)
        places = [float(jnp.sum(u * grid.axes[0]) / jnp.sum(u)) for u in end.values()]
        assert places[1] > places[0]

    def test_as_many_sensitivities_as_mobilities(self):
        with pytest.raises(ValueError, match="must have one number for each phenotype"):
            jc.models.travelling_band([1.0, 2.0], 3.0, 0.1)


@pytest.mark.slow
def test_a_band_that_senses_no_ratio_of_little_leaves_cells_behind():
    """With a receptor offset the drift ends where the food does, so the band loses cells and falls back."""
    behind, places = [], []
    for offset in (0.0, 5.0):
        grid = jc.Grid.box(-8_000.0, 6_000.0, 700)
        start = [
            jc.initial.function(
                lambda x, k=k: exact.travelling_band(x[..., 0], 0.0, cells=2400.0, ahead=100.0, **BAND)[k]
            )
            for k in (0, 1)
        ]
        model = jc.models.travelling_band(*BAND.values(), offset=offset, half=0.5)
        end = jc.solve(jc.Problem(model, grid, *start), jc.FiniteVolume(), t1=400.0, dt="auto", adjoint=jc.Forward())
        assert float(jnp.min(end.final.density)) >= 0 and float(jnp.min(end.final.signal)) >= 0
        share = end.final.density / jnp.sum(end.final.density)
        behind.append(float(jnp.sum(jnp.where(grid.axes[0] < 0, share, 0))))
        places.append(float(grid.axes[0][jnp.argmax(end.final.signal > 50)]))
    assert behind[1] > behind[0] + 0.03
    assert places[1] < places[0] - 20  # a cell


def test_two_species_that_share_a_signal_and_are_alike_are_one():
    grid = jc.Grid.box(0.0, 4.0, 32)
    bump = jc.initial.gaussian(mass=1.0, center=1.5, std=0.4)
    third, flat = jc.initial.gaussian(mass=1 / 3, center=1.5, std=0.4), jc.initial.uniform(amplitude=0.2)
    rest = jc.initial.gaussian(mass=2 / 3, center=1.5, std=0.4)
    two = jc.models.two_species((0.5, 0.5), (2.0, 2.0), decay=0.3)
    one = jc.models.keller_segel(0.5, 2.0, decay=0.3)
    assert "+ 1 rho_1 + 1 rho_2 - 0.3 c" in two.equations()
    together = jc.solve(jc.Problem(one, grid, bump, flat), jc.FiniteVolume(), t1=0.5, dt=0.005).final
    apart = jc.solve(jc.Problem(two, grid, {"rho_1": third, "rho_2": rest}, flat), jc.FiniteVolume(), t1=0.5, dt=0.005)
    np.testing.assert_allclose(sum(apart.final.density.values()), together.density, rtol=1e-12)
    np.testing.assert_allclose(apart.final.density["rho_1"] * 3, together.density, rtol=1e-12)


@pytest.mark.slow
def test_a_growing_colony_expands_as_computed():
    """Fronts of reference/keller_segel.md, section 10.1, in mm: computed by another code."""
    grid = jc.RadialGrid(20.0, 1000, 2)
    start = {"attractant": jc.initial.uniform(amplitude=0.1), "nutrient": jc.initial.uniform(amplitude=40.0)}
    drop = jc.initial.function(lambda x: jnp.where(jnp.sum(x**2, axis=-1) < 1, 0.029, 0.0))
    problem = jc.Problem(jc.models.growth_expansion(), grid, drop, start)
    saveat = jc.SaveAt(ts=(7200.0, 21600.0))
    run = jc.solve(problem, jc.FiniteVolume(), t1=21600.0, dt=1.0, saveat=saveat, adjoint=jc.Forward())
    np.testing.assert_allclose(analysis.front(run.ys.density, grid, 0.02), (1.47, 5.17), rtol=0.01)
    assert float(jnp.min(run.final.density)) >= 0
    assert all(float(jnp.min(field)) > -1e-12 for field in run.final.signal.values())


@pytest.mark.slow
def test_a_quarter_of_a_colony_on_a_plane_is_one_on_shells():
    start = {"attractant": jc.initial.uniform(amplitude=0.1), "nutrient": jc.initial.uniform(amplitude=40.0)}
    drop = jc.initial.function(lambda x: 0.029 * jax.nn.sigmoid((1 - jnp.sqrt(jnp.sum(x**2, axis=-1))) / 0.1))
    profiles = []
    for grid in (jc.RadialGrid(4.0, 80, 2), jc.Grid.box((0.0, 0.0), (4.0, 4.0), (80, 80))):
        problem = jc.Problem(jc.models.growth_expansion(), grid, drop, start)
        run = jc.solve(problem, jc.FiniteVolume(), t1=5400.0, dt=4.0, adjoint=jc.Forward())
        profiles.append(run.final.density if isinstance(grid, jc.RadialGrid) else run.final.density[:, 0])
    shells, plane = profiles
    fronts = [analysis.front(u, jc.RadialGrid(4.0, 80, 2), 0.02) for u in (shells, plane)]
    assert fronts[1] == pytest.approx(fronts[0], rel=0.01)
    np.testing.assert_allclose(plane[:40], shells[:40], rtol=0.02)


@pytest.mark.slow
def test_invasion_keeps_its_laws():
    grid = jc.Grid.box((0.0, 0.0), (1.0, 1.0), (16, 16))
    model = jc.models.invasion(decay=0.5)
    start = {"matrix": jc.initial.uniform(amplitude=1.0), "enzyme": jc.initial.uniform(amplitude=0.0)}
    problem = jc.Problem(model, grid, jc.initial.gaussian(mass=0.1, center=(0.0, 0.5), std=0.2), start)
    run = jc.solve(problem, jc.FiniteVolume(), t1=2.0, dt=0.01, saveat=jc.SaveAt(every=50))
    mass = float(grid.integrate(problem.fields()[0]["rho"]))
    enzyme = grid.integrate(run.final.signal["enzyme"])
    assert float(enzyme) == pytest.approx(0.1 * mass / 0.5 * (1 - np.exp(-1.0)), rel=1e-12)
    matrix = run.ys.signal["matrix"]
    assert bool(jnp.all(jnp.diff(matrix, axis=0) < 0)) and float(jnp.min(matrix)) > 0
    with pytest.raises(ValueError, match="the signal 'protease', but the model has 'm'"):
        jc.models.Model({"u": jc.models.Species(1.0)}, {"m": jc.models.Signal(jc.models.Degradation("protease"))})


def test_as_much_repulsion_as_attraction_is_plain_diffusion():
    grid = jc.Grid.box(0.0, 4.0, 32)
    bump = jc.initial.gaussian(mass=1.0, center=1.5, std=0.4)
    flat = jc.initial.uniform(amplitude=0.2)
    ends = []
    for strength in (0.0, 3.0):
        model = jc.models.attraction_repulsion(0.2, strength, strength)
        problem = jc.Problem(model, grid, bump, {"attractant": flat, "repellent": flat})
        ends.append(jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt=0.005).final.density)
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-12)
