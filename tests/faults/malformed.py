"""The table of malformed input over the whole public API, and of input that is unusual but valid."""

from faults.cases import Case
from faults.physics import PHYSICS
from faults.runs import RUNS
from faults.scalars import KINDS, NUMBERS


def call(name: str, values: dict[str, str]) -> str:
    """Source code of a call."""
    return f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})"


def _numbers() -> tuple[list[Case], list[tuple[str, str]]]:
    wrong, right = [], []
    for name, arguments in NUMBERS.items():
        valid = {key: value for key, (value, *_) in arguments.items()}
        right.append((call(name, valid), call(name, valid)))
        for key, (value, *kinds) in arguments.items():
            for kind in kinds:
                wrong += [Case(call(name, valid | {key: bad}), error, key) for bad, error in KINDS[kind].wrong.items()]
                others = [call(name, valid | {key: way.format(value)}) for way in KINDS[kind].right]
                right += [(other, call(name, valid)) for other in others]
    return wrong, right


NUMBER_CASES, NUMBERS_VALID = _numbers()
PARTS = PHYSICS + RUNS

# Valid, if unusual: source code, and what it must be equal to.
UNUSUAL = [
    ("jc.Grid.box(-1, 1, np.int64(16))", "jc.Grid.box(-1.0, 1.0, 16)"),
    ("jc.Grid.box(np.float32(-1), np.asarray(1), np.asarray(16))", "jc.Grid.box(-1.0, 1.0, 16)"),
    ("jc.Grid.box(np.array([-1, -1]), [1, 1], np.array([16, 8]))", "jc.Grid.box((-1.0, -1.0), (1.0, 1.0), (16, 8))"),
    ("jc.Grid.box([jnp.asarray(0.0)], (1,), [jnp.asarray(4)])", "jc.Grid.box(0.0, 1.0, 4)"),
    (
        "jc.Grid.box(0, 1, 4, [(jc.NoFlux(), jc.Dirichlet(0))])",
        "jc.Grid.box(0.0, 1.0, 4, [(jc.NoFlux(), jc.Dirichlet(0.0))])",
    ),
    ("models.Signal(diffusivity=np.float64(0))", "models.Signal(diffusivity=0)"),
    ("models.keller_segel(0.1, 1.0, relaxation=np.int64(0))", "models.keller_segel(0.1, 1.0, relaxation=0)"),
    ("models.Room(1.0, np.float64(1))", "models.Room(1.0)"),
    ("models.two_species([1, 1], np.ones(2))", "models.two_species((1.0, 1.0), (1.0, 1.0))"),
    ("initial.gaussian(mass=1, std=[1, 2])", "initial.gaussian(mass=1.0, std=np.array([1.0, 2.0]))"),
    ("initial.array(np.arange(16))", "initial.array(np.arange(16.0))"),
    ("initial.mixture(iter_list())", "initial.mixture([ONE, ONE])"),
    ("jc.SaveAt(ts=0.1)", "jc.SaveAt(ts=[0.1])"),
    ("jc.SaveAt(ts=np.array([0, 1]))", "jc.SaveAt(ts=(0.0, 1.0))"),
    ("jc.SaveAt(ts=jnp.asarray([0.5]), t1=np.bool_(True))", "jc.SaveAt(ts=[0.5], t1=True)"),
    ("OneBlob(dt=None, shape=None)", "OneBlob()"),
    ("StabilityMap(shape=np.int64(8), dt=np.float32(0.5))", "StabilityMap(shape=(8,), dt=0.5)"),
    ("solve(t1=np.float64(0.1)).final.density", "solve().final.density"),
    ("solve(t0=np.int64(0), t1=np.asarray(0.1), dt=np.float64(0.01)).final.density", "solve().final.density"),
    ("solve(t0=0, t1=jnp.asarray(0.1), dt=jnp.asarray(0.01)).final.density", "solve().final.density"),
    ("solve(key=jax.random.PRNGKey(0)).final.density", "solve(key=jax.random.key(0)).final.density"),
]
