"""Figures: they have labels with units, show what was saved, and refuse what they cannot draw."""

import imageio.v3 as iio
import jax
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxchemo as jc
from jaxchemo import plotting
from jaxchemo.experiments.recover.figures import recovery
from jaxchemo.plotting.fields import plane_of
from jaxchemo.plotting.frames import Frames


def problem(ndim: int, shape: tuple[int, ...] | None = None) -> jc.Problem:
    return jc.Problem(
        model=jc.models.phks(0.1, 1.0),
        domain=jc.Grid.box((-1,) * ndim, (1,) * ndim, shape or (6,) * ndim),
        density=jc.initial.gaussian(mass=1.0, center=(0.3, *(0.0,) * (ndim - 1)), std=0.4),
        signal=jc.initial.gaussian(amplitude=1.0, center=(0.0,) * ndim, std=0.5),
    )


def solution(one: jc.Problem, *, particles: int = 0) -> jc.Solution:
    """Three frames that decay, without the cost of a run."""
    grid, times = one.domain, np.array([0.0, 0.01, 0.02])
    (rho,), (c,) = (tuple(fields.values()) for fields in one.fields())
    fade = np.exp(-times).reshape(-1, *[1] * grid.ndim)
    rng = np.random.default_rng(0)
    positions = rng.uniform(-1, 1, (3, particles, grid.ndim)) if particles else None
    ys = jc.Snapshot(fade * np.asarray(rho), fade**2 * np.asarray(c), positions)
    return jc.Solution(times, ys, jax.tree.map(lambda a: a[-1], ys), jc.RESULTS.successful, {}, one.domain, None)


@pytest.fixture(scope="module", params=[2, 3], ids=["2D", "3D"])
def runs(request):
    one = problem(request.param)
    return one, {"fv": solution(one), "sipf": solution(one, particles=64)}


def labels(figure: Figure) -> set[str]:
    return {text for ax in figure.axes for text in (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) if text}


def test_density_slices(runs):
    one, solutions = runs
    figure = plotting.density_slices(one, solutions, times=[0.0, 0.02])
    assert {"x [length]", "y [length]", "fv  t = 0", "sipf  t = 0.02"} <= labels(figure)
    assert any(text.startswith("density rho [mass / length") for text in labels(figure))
    assert sum(len(ax.images) for ax in figure.axes) == 4
    figure.canvas.draw()


def test_signal_slices(runs):
    one, solutions = runs
    figure = plotting.signal_slices(one, solutions["fv"], normal=1)
    assert {"x [length]", "t = 0", "signal c [concentration]"} <= labels(figure)
    assert ("z [length]" in labels(figure)) == (one.domain.ndim == 3)


def test_cross_sections(runs):
    one, solutions = runs
    figure = plotting.cross_sections(one, solutions, times=[0.02], thickness=0.5)
    assert "x [length]" in labels(figure)
    curves = figure.axes[0].get_lines()
    assert [curve.get_label() for curve in curves] == ["fv", "sipf"]
    assert np.all(np.asarray(curves[0].get_ydata()) > 0)
    assert "averaged over a beam of side 0.5" in figure.get_suptitle()


def test_particles(runs):
    one, solutions = runs
    figure = plotting.particles(one, solutions["sipf"], times=[0.0, 0.02], max_particles=10)
    assert {"x [length]", "y [length]", "t = 0.02"} <= labels(figure)
    assert all(len(ax.collections[0].get_offsets()) == 10 for ax in figure.axes if ax.get_xlabel() == "x [length]")
    with pytest.raises(ValueError, match="no particles"):
        plotting.particles(one, solutions["fv"])


def test_diagnostics(runs):
    one, solutions = runs
    figure = plotting.diagnostics(one, solutions)
    assert {"mass", "smallest density", "second moment", "entropy", "t [time]", "mean |x|² [length²]"} <= labels(figure)
    curves = {ax.get_title(): [line.get_label() for line in ax.get_lines()] for ax in figure.axes}
    assert curves["mass"] == ["fv", "sipf"]
    assert curves["entropy"] == ["fv"]  # beside it, that of a histogram of particles would mislead


def test_animate(runs, tmp_path):
    one, solutions = runs
    path = plotting.animate(one, solutions, tmp_path / "film.gif")
    frames = iio.imread(path)
    assert len(frames) == 3 and frames.std() > 0
    assert not np.array_equal(frames[0], frames[-1])


def test_recovery():
    fields = np.ones((2, 6, 6))
    value = {
        "value": 1.1,
        "interval": [1.0, 1.2],
        "corrected": 1.05,
        "particles": {"value": 0.98, "interval": [0.9, 1.06]},
        "truth": 1.0,
        "guess": 2.0,
        "unit": "length² / time",
    }
    figure = recovery(
        problem(2),
        times=[0.1, 0.2],
        observed=fields,
        fitted=fields,
        noise=0.1,
        descents={"one": ([1, 2], [3.0, 1.0]), "two": ([1, 2], [3.0, 2.0])},
        lowest=1.0,
        target=1.5,
        values={"mobility": value},
    )
    assert {"observed, t = 0.1", "fitted, t = 0.2", "mobility [length² / time]"} <= labels(figure)
    figure.canvas.draw()


def test_no_global_state():
    import matplotlib

    before = dict(matplotlib.rcParams)
    one = problem(2)
    plotting.density_slices(one, solution(one))
    assert dict(matplotlib.rcParams) == before
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_a_line_is_drawn_in_one_dimension():
    one = problem(1, (12,))
    figure = plotting.cross_sections(one, solution(one))
    assert "density rho [mass / length]" in labels(figure)


def test_an_anisotropic_slice_has_the_right_orientation():
    grid = jc.Grid.box((0, 0, 0), (1, 2, 3), (2, 4, 6))
    z = np.asarray(grid.centers)[..., 2]
    picture, axes = plane_of(grid, z, normal=1, at=1.0, thickness=0.0)
    assert axes == (0, 2) and picture.shape == (2, 6)
    assert np.allclose(picture[0], np.asarray(grid.axes[2]))
    picture, axes = plane_of(grid, z, normal=2, at=1.5, thickness=1.0)
    assert axes == (0, 1) and np.allclose(picture, 1.5)


def test_what_cannot_be_drawn_is_refused():
    one = problem(2)
    run = solution(one)
    scalars = jc.Solution(run.ts, run.ys.density.sum(axis=(1, 2)), run.final, run.result, {}, run.domain, None)
    with pytest.raises(ValueError, match="holds no snapshots"):
        plotting.density_slices(one, scalars)
    with pytest.raises(ValueError, match="`species` must be one of 'rho', got 'sigma'"):
        plotting.density_slices(one, run, species="sigma")
    with pytest.raises(ValueError, match="outside the box"):
        plotting.cross_sections(one, run, through=(0.0, 5.0))
    with pytest.raises(ValueError, match="in 2 or 3 dimensions"):
        plotting.density_slices(problem(1, (12,)), run)
    with pytest.raises(ValueError, match="at least one solution"):
        plotting.cross_sections(one, {})


def test_frames_are_chosen_by_time():
    frames = Frames(np.array([0.0, 0.1, 0.2]), np.zeros((3, 2)), None, None, "rho", None)
    assert frames.nearest([0.0, 0.19, 5.0]) == [0, 2]
    assert frames.nearest(None, 2) == [0, 2]


def test_comparison_table():
    from rich.console import Console

    run = {
        "shape": [8, 8],
        "num_particles": None,
        "compile_seconds": 1.0,
        "milliseconds_per_step": 2.0,
        "mass_drift": 1e-9,
        "min_density": 0.0,
        "distance": None,
    }
    runs = {"fv": run, "sipf": {**run, "num_particles": 20_000, "distance": 0.0123}}
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(plotting.comparison_table(runs))
    text = console.export_text()
    assert "8×8" in text and "20,000" in text and "0.0123" in text and "distance to fv" in text
    assert "compile [s]" in text and "step [ms]" in text


def test_training_and_decays_are_labelled(tmp_path):
    history = {"loss": [1.0, 0.5], "validation": [0.9, 0.8]}
    figure = plotting.training(history, {"validation": 1.0}, title="a network")
    assert [ax.get_xlabel() for ax in figure.axes] == ["epoch", "epoch"]
    assert len(figure.axes[1].lines[0].get_xdata()) == 3  # with the start
    curves = {"one": np.array([[0.1, 0.2], [0.05, 0.04]])}
    figure = plotting.decays([10, 100], curves, xlabel="P", ylabel="error", slopes=(-0.5,))
    assert figure.axes[0].get_xscale() == "log" and len(figure.axes[0].lines) == 2
    figure.savefig(tmp_path / "decays.png")
