"""What a run can end as, in sentences: methods report it, the time loop carries it, `solve` raises it."""

import equinox as eqx


class RESULTS(eqx.Enumeration):
    """How a run ended. `RESULTS[result]` is the sentence; `result == RESULTS.successful` asks whether all went well.

    >>> jc.RESULTS[jc.RESULTS.capacity_exceeded]
    'A buffer of fixed size is full. A larger capacity would do.'
    """

    successful = "successful"
    nonfinite = (
        "The solution is no longer finite (NaN or infinity). A smaller `dt` (of a flow, `change`) or smoother initial "
        "conditions would do."
    )
    out_of_range = (
        "A number of the problem is out of its range: negative, say, where it must be positive. It was not known when "
        "the problem was built, inside jit, vmap or grad: built outside of them, with the same numbers, the problem "
        "says which it is."
    )
    unstable_step = "The step is larger than the scheme's stable one, so positivity is lost: a smaller `dt` will do."
    negative_input = (
        "A density or signal was negative before the step, or a wall holds one there: no `dt` mends that. Initial "
        "conditions and walls that are nowhere negative would do."
    )
    negative_density = (
        "The density has become negative, as modes and centred fluxes make it where they do not resolve it: more cells "
        "will do, or a smaller `dt` at first. Where cells collapse no grid will: FiniteVolume says up to when, and is "
        "positive on any grid with ScharfetterGummel or Upwind."
    )
    negative_rate = (
        "A tumble rate has become negative: the signal is too steep for a linear response. ExponentialResponse, or a "
        "smaller gain, will do."
    )
    rate_exceeded = "A tumble rate has exceeded the bound of Thinning: a larger `bound` will do."
    poor_fit = (
        "The flow does not move at the drift velocity of its density: more `width`, the `wavelengths` of the fluid, or "
        "a smaller `change` or `strain` will do; of a `PriorFlow`, more `steps` or `intervals`."
    )
    unresolved = (
        "Cells have gathered in a peak narrower than the grid can show; what follows would be the grid's own. A "
        "smaller `dt` changes nothing. More cells go further, up to the time of a collapse; so do, for one round peak, "
        "a RadialGrid with `stretching`, and in the whole space LagrangianFlow."
    )
    blow_up = "The density has grown beyond what can be followed: the solution blows up."
    capacity_exceeded = "A buffer of fixed size is full. A larger capacity would do."
    solver_failed = "The inner solver (adaptive or implicit) gave up: a smaller `dt` or looser tolerances would do."
