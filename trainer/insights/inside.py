"""What the layers tell: gradients, steps and outputs, at the last looks inside."""

from trainer.events import Layer
from trainer.insights.story import DEAD, Seen, Story

_VANISHED = 1e-3
"""Gradient of the first layer, as a share of the last one's, below which it hardly learns."""


def vanishing_gradients(story: Story) -> Seen | None:
    """Hardly any gradient reaches the first layer."""
    if not story.recent_insides or not all(_vanishes(list(inside.values())) for inside in story.recent_insides):
        return None
    name, first = next(iter(story.insides[-1].items()))
    last = story.insides[-1]["output"]
    return Seen(
        f"gradients vanish: that of {name} is {first.gradient_norm:.2g}, that of the output {last.gradient_norm:.2g}, "
        "so the first layers hardly learn. Try relu with he_normal, or fewer layers.",
        {"layer": name, "gradient_norm": first.gradient_norm, "output_gradient_norm": last.gradient_norm},
    )


def _vanishes(layers: list[Layer]) -> bool:
    return layers[0].gradient_norm < _VANISHED * layers[-1].gradient_norm


def dead_units(story: Story) -> Seen | None:
    """Many units of a hidden layer give the same output for every example."""
    for name in story.insides[-1] if story.recent_insides else ():
        shares = [inside[name].dead for inside in story.recent_insides]
        if name not in ("embedding", "output") and all(share >= DEAD for share in shares):
            return Seen(
                f"dead units: {shares[-1]:.0%} of those of {name} give the same output for every example. Try a "
                "lower learning rate, leaky_relu, or he_normal to start from.",
                {"layer": name, "dead": shares[-1]},
            )
    return None


def constant_predictor(story: Story) -> Seen | None:
    """The network gives the same output whatever the input."""
    if not story.recent_insides or not all(inside["output"].dead == 1 for inside in story.recent_insides):
        return None
    inside = story.insides[-1]
    dead = [name for name, layer in inside.items() if layer.dead == 1 and name != "output"]
    why = f"; all units of {dead[0]} are dead" if dead else ""
    return Seen(
        f"the network gives the same output whatever the input{why}. Try a learning rate ten times lower "
        f"({story.rate / 10:.3g}), leaky_relu, or he_normal to start from.",
        {"output_std": inside["output"].std, "dead_layers": dead, "learning_rate": story.rate},
    )
