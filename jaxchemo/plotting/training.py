"""How a training went: the loss, and the measures on data that it did not see, after every epoch."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from jaxchemo.plotting import style


def training(history: Mapping[str, Sequence[float]], start: Mapping[str, float], *, title: str = "") -> Figure:
    """The loss curve and the curves of validation.

    **Arguments:**

    - `history`: for each measure its value after every epoch, `loss` among them.
    - `start`: the measures before training; the loss has none.
    - `title`: over the figure. Default: none.
    """
    measures = {name: values for name, values in history.items() if name != "loss"}
    fig = style.figure(10.0, 3.6)
    left, right = fig.subplots(1, 2)
    epochs = range(1, 1 + len(history["loss"]))
    left.plot(epochs, history["loss"], label="training", **style.curve(0))
    left.set(xlabel="epoch", ylabel="loss (mean over an epoch) [log error]")
    for number, (name, values) in enumerate(measures.items()):
        right.plot(range(len(values) + 1), [start[name], *values], label=name, **style.curve(number))
    right.set(xlabel="epoch", ylabel="on held-out data [relative]")
    right.legend(frameon=False)
    for ax in (left, right):
        ax.grid(alpha=0.25)
    fig.suptitle(title)
    return fig
