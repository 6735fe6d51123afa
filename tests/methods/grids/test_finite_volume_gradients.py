"""Gradients through whole trajectories, against central differences, in every number of a problem."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxchemo as jc
from jaxchemo import initial, models

BOX = jc.Grid.box((-1.0, -0.8), (1.0, 1.2), (6, 5))
PHKS = jc.Problem(
    model=jc.models.phks(0.1, 1.5, consumption=0.8),
    domain=BOX,
    density=initial.gaussian(mass=1.3, center=(0.2, -0.1), std=(0.4, 0.5)),
    signal=initial.mixture([initial.gaussian(amplitude=2.0, center=0.3, std=0.5), initial.uniform(amplitude=0.4)]),
)
# Every law there is, every kind of condition, and walls with a value.
EVERYTHING = jc.Problem(
    model=models.Model(
        {
            "u": models.Species(
                0.1,
                {
                    "a": models.VolumeFilling(models.Receptor(1.2, 0.7), 5.0),
                    "b": models.LogWindow(0.8, 0.2, 3.0),
                    "n": models.Logarithmic(0.5, 0.1),
                },
                models.Logistic(0.6, 2.0),
            ),
            "v": models.Species(0.2, {"a": models.Linear(-0.4)}, models.Monod("n", 0.7, 0.3)),
        },
        {
            "a": models.Signal(models.Production("u", 1.1, 0.3), diffusivity=0.4, relaxation=0.7),
            "b": models.Signal(
                models.Sum(models.Uptake("v", 0.9, 0.2), models.Production("u", 0.5), models.Consumption("u", 0.3)), 0.2
            ),
            "n": models.Signal(models.Consumption("v", 0.9)),
        },
    ),
    domain=jc.Grid.box(
        (-1.0, -0.8), (1.0, 1.2), (5, 4), (jc.Periodic(), (jc.NoFlux(), jc.Dirichlet({"u": 0.7, "b": 0.9, "a": 0.2})))
    ),
    density={
        "u": initial.ring(mass=1.3, radius=0.6, width=0.5),
        "v": initial.array(np.random.default_rng(0).uniform(0.3, 1.0, (5, 4))),
    },
    signal={
        "a": initial.ball(amplitude=0.8, radius=0.9),
        "b": initial.perturbed(0.9, 0.4, seed=1),
        "n": initial.uniform(mass=2.0),
    },
)
SHELLS = PHKS.replace(
    domain=jc.RadialGrid(2.0, 8, ndim=3, stretching=1.0),
    density=initial.gaussian(mass=1.3, std=0.5),
    signal=initial.gaussian(amplitude=2.0, std=0.9),
)
PROBLEMS = {"phks": PHKS, "everything": EVERYTHING, "shells": SHELLS}
# A ball has a jump: the field on a grid does not change with its radius and its center but where its edge crosses one.
STIFF = ("radius",)


def functional(method, adjoint):
    """A number that every cell of the final state has a part in."""

    def value(problem):
        saveat = jc.SaveAt(t1=False)
        final = jc.solve(problem, method, t1=0.27, dt=0.03, adjoint=adjoint, saveat=saveat).final
        fields = jax.tree.leaves((final.density, final.signal))
        waves = [jnp.cos(0.7 * i + jnp.arange(field.size)).reshape(field.shape) for i, field in enumerate(fields)]
        return sum(jnp.sum((1 + wave) * field**2) for wave, field in zip(waves, fields, strict=True))

    return value


def in_one_vector(problem, value):
    """The functional of all float leaves of a problem as one vector, and where each leaf lies in it."""
    numbers, rest = eqx.partition(problem, eqx.is_inexact_array)
    vector, unravel = ravel_pytree(numbers)
    paths = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(numbers)
        for _ in range(math.prod(leaf.shape))
    ]
    return lambda x: value(eqx.combine(unravel(x), rest)), vector, paths


def central_differences(value, at, h):
    """Sixth-order central differences in each coordinate."""
    steps = h * jnp.maximum(jnp.abs(at), 0.1)
    weights = jnp.array([-1.0, 9.0, -45.0, 45.0, -9.0, 1.0]) / 60

    def derivative(i):
        e = steps[i] * jax.nn.one_hot(i, at.size, dtype=at.dtype)
        values = jax.vmap(lambda k: value(at + k * e))(jnp.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]))
        return weights @ values / steps[i]

    return jax.lax.map(derivative, jnp.arange(at.size))


CASES = [
    *[(name, jc.Strang(), jc.Remat(), "reverse") for name in ("phks", "shells")],
    ("phks", jc.Euler(), jc.Direct(), "reverse"),
    ("phks", jc.SSPRK2(), jc.Remat(segments=2), "reverse"),
    ("phks", jc.SSPRK3(), jc.Forward(), "forward"),
    pytest.param("phks", jc.Euler(), jc.Forward(), "forward", marks=pytest.mark.slow),
    pytest.param("phks", jc.SSPRK3(), jc.Remat(), "reverse", marks=pytest.mark.slow),
    pytest.param("phks", jc.Strang(jc.Euler()), jc.Direct(), "reverse", marks=pytest.mark.slow),
    pytest.param("phks", jc.Adaptive(rtol=1e-12, atol=1e-13), jc.Remat(), "reverse", marks=pytest.mark.slow),
    *[
        pytest.param("everything", stepper, adjoint, mode, marks=pytest.mark.slow)
        for stepper, adjoint, mode in [
            (jc.Strang(), jc.Remat(), "reverse"),
            (jc.SSPRK3(), jc.Direct(), "reverse"),
            (jc.Strang(), jc.Forward(), "forward"),
            (jc.Adaptive(rtol=1e-12, atol=1e-13), jc.Direct(), "reverse"),
        ]
    ],
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, stepper, adjoint, mode", CASES, ids=lambda case: case if isinstance(case, str) else repr(case)[:24]
)
def test_gradient_in_every_number(name, stepper, adjoint, mode):
    value, at, paths = in_one_vector(PROBLEMS[name], functional(jc.FiniteVolume(stepper), adjoint))
    gradient = jax.jit(jax.jacfwd(value) if mode == "forward" else jax.grad(value))(at)
    numeric = np.asarray(jax.jit(lambda at: central_differences(value, at, 1e-3))(at))
    assert np.all(np.isfinite(gradient))
    scale = np.max(np.abs(numeric))
    wrong = [
        f"{path}: {a} is not {b}"
        for path, a, b in zip(paths, np.asarray(gradient), numeric, strict=True)
        if abs(a - b) > 1e-6 * max(abs(b), 1e-3 * scale)
    ]
    assert not wrong, "\n".join(wrong)
    # Each number counts, or its derivative says nothing. (A jump that no quadrature point feels does not.)
    silent = [path for path, b in zip(paths, numeric, strict=True) if b == 0 and ".radius" not in path]
    assert set(silent) <= {".signal['a'].center"}


@pytest.mark.slow
def test_reverse_mode_through_a_while_loop_is_refused():
    value, at, _ = in_one_vector(PHKS, functional(jc.FiniteVolume(), jc.Forward()))
    with pytest.raises(ValueError, match=r"no derivatives in reverse mode .* give Remat\(\) or Direct\(\)"):
        jax.grad(value)(at)


@pytest.mark.parametrize("adjoint", [jc.Remat(), jc.Direct()], ids=["remat", "direct"])
def test_gradient_through_saved_states(adjoint):
    """A loss over several times is differentiated through all of them."""

    def loss(mobility):
        saveat = jc.SaveAt(ts=[0.06, 0.15, 0.24])
        problem = PHKS.replace(model=jc.models.phks(mobility, 1.5))
        return jnp.sum(
            jc.solve(problem, jc.FiniteVolume(), t1=0.24, dt=0.03, saveat=saveat, adjoint=adjoint).ys.density ** 2
        )

    numeric = float(jax.jit(lambda x: central_differences(lambda x: loss(x[0]), x, 1e-3))(jnp.array([0.1]))[0])
    assert float(jax.jit(jax.grad(loss))(0.1)) == pytest.approx(numeric, rel=1e-8)


@pytest.mark.slow
def test_second_derivatives_in_single_precision():
    """Where the food is flat to the last bit, and forward over reverse mode through a loop forgets custom rules."""

    def spread(chi):
        bump = jc.initial.gaussian(mass=1.0, center=0.5, std=0.1)
        problem = jc.Problem(jc.models.phks(0.1, chi), jc.Grid.box(0, 1, 50), bump, bump)
        return jc.solve(problem, jc.FiniteVolume(), t1=0.01, dt=1e-3).final.density.var()

    with jax.enable_x64(False):
        found = float(jax.jit(jax.hessian(spread))(jnp.float32(1.0)))
    exact = float(jax.jit(jax.jacfwd(jax.jacfwd(spread)))(1.0))
    assert found == pytest.approx(exact, rel=1e-3)


@pytest.mark.slow
def test_second_derivatives():
    value, at, _ = in_one_vector(SHELLS, functional(jc.FiniteVolume(), jc.Remat()))
    gradient = jax.jit(jax.grad(value))
    hessian = np.asarray(jax.jit(jax.hessian(value))(at))
    h = 1e-5
    for i in range(at.size):
        e = h * jnp.eye(at.size)[i]
        np.testing.assert_allclose(hessian[i], (gradient(at + e) - gradient(at - e)) / (2 * h), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-10)
