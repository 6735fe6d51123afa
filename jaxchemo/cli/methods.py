"""What the methods are called on the command line, how they are built, and which of them solve an experiment."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxchemo.cli.errors import Refused

if TYPE_CHECKING:
    from jaxchemo.experiments import Experiment, Posed
    from jaxchemo.methods import AbstractMethod

NETWORK = "nsipf"  # the method that has one


class Named(NamedTuple):
    """A method by a name.

    **Fields:**

    - `about`: what it is.
    - `kind`: its class, which knows what it solves.
    - `build`: makes it for an experiment, with a file of weights where it has a network.
    - `uses`: options of experiments that are its own.
    """

    about: str
    kind: "type[AbstractMethod]"
    build: "Callable[[Posed, Path | None], AbstractMethod]"
    uses: tuple[str, ...] = ()


def known_methods() -> dict[str, Named]:
    """All methods by name."""
    import jaxchemo as jc
    from jaxchemo.experiments import FlowExperiment

    def number(experiment: "Posed", name: str) -> dict[str, Any]:
        """The option of the experiment, if it has one of this name; else the method has its own default."""
        value = getattr(experiment, name, None)
        return {} if value is None else {name: value}

    def particle_field(experiment: "Posed", **parts: Any) -> jc.ParticleField:
        return jc.ParticleField(**number(experiment, "num_particles"), **parts)

    def paper(experiment: "Posed", network: Path | None) -> jc.ParticleField:
        parts = {"deposit_order": 0, "update": jc.ExplicitUpdate(), "interpolator": jc.CubicSpline()}
        return particle_field(experiment, **parts)

    def neural(experiment: "Posed", network: Path | None) -> jc.ParticleField:
        shipped = f"phks-{experiment.problem().domain.ndim}d"
        interpolator = jc.nn.pretrained(shipped) if network is None else jc.nn.load(network)
        return particle_field(experiment, interpolator=interpolator)

    def flow(experiment: "Posed", network: Path | None) -> jc.LagrangianFlow:
        return experiment.lagrangian_flow() if isinstance(experiment, FlowExperiment) else jc.LagrangianFlow()

    def interacting(experiment: "Posed", network: Path | None) -> jc.InteractingParticles:
        if isinstance(experiment, FlowExperiment):
            return experiment.interacting_particles()
        return jc.InteractingParticles(**number(experiment, "num_particles"))

    particles, flows = ("num_particles",), ("num_labels", "num_sources", "hidden_units")
    field, exposure = jc.ParticleField, "particles and field: cloud in cell, exposure, histospline"
    return {
        "fv": Named("finite volumes with fitted fluxes", jc.FiniteVolume, lambda *_: jc.FiniteVolume()),
        "sipf": Named(exposure, field, lambda experiment, _: particle_field(experiment), particles),
        "spectral": Named("Fourier modes with exponential time differencing", jc.Spectral, lambda *_: jc.Spectral()),
        "nsipf": Named("sipf with a trained network as interpolator", field, neural, particles),
        "sipf-paper": Named("sipf as in the paper: histogram, explicit, cubic spline", field, paper, particles),
        "flow": Named("a normalizing flow that moves with the drift of its density", jc.LagrangianFlow, flow, flows),
        "particles": Named(
            "particles that attract one another", jc.InteractingParticles, interacting, (*particles, "blob_width")
        ),
        "prior-flow": Named("KRnet, trained as published", jc.PriorFlow, lambda *_: jc.PriorFlow()),
        "agents": Named(
            "single swimmers",
            jc.Agents,
            lambda experiment, _: jc.Agents(**number(experiment, "num_agents")),
            ("num_agents",),
        ),
        "kinetic": Named("streams of swimmers, in one dimension", jc.Kinetic, lambda *_: jc.Kinetic()),
        "fokker-planck": Named("the diffusion limit of swimmers", jc.FokkerPlanck, lambda *_: jc.FokkerPlanck()),
    }


def solving(experiment: "Experiment[Any]") -> list[str]:
    """Names of the methods that solve the problem of an experiment; none if it states no single one."""
    from jaxchemo.experiments import Posed

    if not isinstance(experiment, Posed):
        return []
    features = experiment.problem().features
    return [name for name, method in known_methods().items() if features <= method.kind.solves]


def find_methods(names: list[str], experiment: "Posed") -> dict[str, Named]:
    """The methods of these names, which solve the problem of the experiment.

    **Raises:** `Refused` for a name that there is not, with the nearest one; for a method that does not solve the
    problem, with those that do.
    """
    from jaxchemo.experiments import nearest

    known, features = known_methods(), experiment.problem().features
    for name in names:
        if name not in known:
            raise Refused(f"There is no method {name!r}. {nearest(name, list(known))}")
        if lacking := features - known[name].kind.solves:
            what = ", nor with ".join(sorted(feature.value for feature in lacking))
            able = [other for other, method in known.items() if features <= method.kind.solves]
            advice = f": {', '.join(able)} would do" if able else ", and no other method does"
            raise Refused(f"`--method`: {name} does not solve problems with {what}{advice}.")
    return {name: known[name] for name in names}
