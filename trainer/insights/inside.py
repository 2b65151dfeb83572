"""What the layers tell: gradients, steps and outputs, at the last looks inside."""

from collections.abc import Mapping

from trainer.events import Layer
from trainer.insights.story import DEAD, Seen, Story

_VANISHED = 1e-3
"""Gradient of the first layer, as a share of the last one's, below which it hardly learns."""


def vanishing_gradients(story: Story) -> Seen | None:
    """Hardly any gradient reaches the first layer. A person's own network may compute its parts in any order."""
    if (
        story.config.model.code
        or not story.recent_insides
        or not all(_vanishes(list(inside.values())) for inside in story.recent_insides)
    ):
        return None
    name, first = next(iter(story.insides[-1].items()))
    last = _last(story.insides[-1])
    return Seen(
        f"gradients vanish: that of {name} is {first.gradient_norm:.2g}, that of the output {last.gradient_norm:.2g}, "
        "so the first layers hardly learn. Try relu with he_normal, or fewer layers.",
        {"layer": name, "gradient_norm": first.gradient_norm, "output_gradient_norm": last.gradient_norm},
    )


def _vanishes(layers: list[Layer]) -> bool:
    return layers[0].gradient_norm < _VANISHED * layers[-1].gradient_norm


def _last(inside: Mapping[str, Layer]) -> Layer:
    """Return the layer that gives the outputs."""
    return inside[_name_of_last(inside)]


def _name_of_last(inside: Mapping[str, Layer]) -> str:
    *_, name = inside
    return name


def dead_units(story: Story) -> Seen | None:
    """Many units of a hidden layer give the same output for every example."""
    for name in story.insides[-1] if story.recent_insides else ():
        shares = [inside[name].dead for inside in story.recent_insides]
        is_hidden = name != "embedding" and name != _name_of_last(story.insides[-1])
        if is_hidden and all(share is not None and share >= DEAD for share in shares):
            return Seen(
                f"dead units: {shares[-1]:.0%} of those of {name} give the same output for every example. Try a "
                "lower learning rate, leaky_relu, or he_normal to start from.",
                {"layer": name, "dead": shares[-1]},
            )
    return None


def constant_predictor(story: Story) -> Seen | None:
    """The network gives the same output whatever the input."""
    if not story.recent_insides or not all(_last(inside).dead == 1 for inside in story.recent_insides):
        return None
    inside = story.insides[-1]
    *hidden, _ = inside
    dead = [name for name in hidden if inside[name].dead == 1]
    why = f"; all units of {dead[0]} are dead" if dead else ""
    return Seen(
        f"the network gives the same output whatever the input{why}. Try a learning rate ten times lower"
        f"{story.advised(0.1)}, leaky_relu, or he_normal to start from.",
        {"output_std": _last(inside).std, "dead_layers": dead, "learning_rate": story.rate},
    )
