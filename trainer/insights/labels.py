"""What the labels alone tell."""

from trainer.insights.story import Seen, Story

_RARE = 10
"""How many times as many examples the largest class may have as the smallest."""

_MOST = 0.8
"""Share of the largest class from which on accuracy says little."""


def label_imbalance(story: Story) -> Seen | None:
    """Most examples are of one class, or some class has hardly any."""
    if len(story.labels) < 2:
        return None
    total = sum(story.labels.values())
    largest, smallest = max(story.labels, key=story.labels.__getitem__), min(story.labels, key=story.labels.__getitem__)
    most, least = story.labels[largest], story.labels[smallest]
    if most < _RARE * least and most < _MOST * total:
        return None
    advice = "" if story.config.loss.class_weight != "none" else ' and try loss.class_weight = "balanced"'
    return Seen(
        f"the classes are unbalanced: {most:,} training examples of {largest!r}, {least:,} of {smallest!r}. Always "
        f"saying {largest!r} would be {most / total:.0%} right: trust the confusion matrix more than the "
        f"accuracy{advice}.",
        {"largest": largest, "examples": most, "smallest": smallest, "least_examples": least, "total": total},
    )
