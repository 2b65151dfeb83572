"""Further metrics: the fields that ask for them, each with its `Metric`, whose name is the field's."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from trainer import measures
from trainer.fields import Section, structural
from trainer.measures import Metric

_MOST_LIKELIEST: Final = 100


class MetricsSection(Section):
    """`metrics`: what is measured beside the loss and the usual metrics of the task; what is off costs nothing."""

    top_k: Annotated[bool, measures.TOP_K] = structural(
        False, "Share of the examples, or tokens, whose class is among the `k` likeliest; for many or similar classes.",
        advanced=True, source="Krizhevsky et al. 2012",
    )  # fmt: skip
    k: int = structural(
        3, "How many classes `top_k` lets pass; fewer than there are.", unit="classes", ge=2, le=_MOST_LIKELIEST,
        advanced=True, source="Krizhevsky et al. 2012",
    )  # fmt: skip
    f1: Annotated[bool, measures.F1] = structural(
        False, "Harmonic mean of precision and recall, averaged over classes; for unbalanced ones.", advanced=True,
        source="van Rijsbergen 1979",
    )  # fmt: skip
    precision: Annotated[bool, measures.PRECISION] = structural(
        False,
        "Of what is predicted to be of a class, the share that is; averaged over classes.",
        advanced=True,
        source="Kent et al. 1955",
    )
    recall: Annotated[bool, measures.RECALL] = structural(
        False,
        "Of what is of a class, the share that is predicted to be; averaged over classes.",
        advanced=True,
        source="Kent et al. 1955",
    )
    auroc: Annotated[bool, measures.AUROC] = structural(
        False, "How well probabilities tell each class from the rest, 0.5 is chance; averaged over classes.",
        advanced=True, source="Hanley and McNeil 1982",
    )  # fmt: skip
    perplexity: Annotated[bool, measures.PERPLEXITY] = structural(
        False, "Among how many equally likely classes, or tokens, the network seems to choose.", advanced=True,
        source="Jelinek et al. 1977",
    )  # fmt: skip
    bits_per_character: Annotated[bool, measures.BITS_PER_CHARACTER] = structural(
        False, 'Bits that each character of a text takes, so predicted; of each byte where data.tokens = "bytes".',
        advanced=True, source="Shannon 1951",
    )  # fmt: skip
    rmse: Annotated[bool, measures.RMSE] = structural(
        False, "Root of the mean squared error, in the target's own units; large errors weigh more than in mae.",
        advanced=True, source="Keras' RootMeanSquaredError",
    )  # fmt: skip
    mape: Annotated[bool, measures.MAPE] = structural(
        False,
        "Mean error as a share of the target, 0.43 where Keras says 43; for targets far from 0.",
        advanced=True,
        source="Keras' MeanAbsolutePercentageError, over 100",
    )


_DECLARED: Final = tuple(
    (field, metric)
    for field, info in MetricsSection.model_fields.items()
    for metric in info.metadata
    if isinstance(metric, Metric)
)


class Asked(NamedTuple):
    """A metric that a config asks for, the field that does, and what it is called."""

    field: str
    name: str
    metric: Metric


def asked(section: MetricsSection) -> tuple[Asked, ...]:
    """Return the metrics that are on, in the order of their fields."""
    return tuple(
        Asked(field, (metric.name or field).format(k=section.k), metric)
        for field, metric in _DECLARED
        if getattr(section, field)
    )


def directions() -> dict[str, Literal["min", "max"]]:
    """Return which way each metric that may be asked for improves, by what it may be called."""
    return {
        (metric.name or field).format(k=k): metric.direction
        for field, metric in _DECLARED
        for k in range(2, _MOST_LIKELIEST + 1)
    }
