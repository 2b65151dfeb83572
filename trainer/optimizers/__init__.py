"""Optimizers: how an update follows from a gradient.

Each kind is one class: its hyperparameters and, in `rule`, or in `by_layer` where it looks at more than one number, the
Optax transformation made from them. It runs inside the trace, where the live numbers are traced arrays: changing one
recompiles nothing. What all have is in `section`.

A new optimizer is a class in one of these files, and its name in the union on the last line.
"""

from typing import Annotated

from pydantic import Field

from trainer.optimizers.adam import AdaBelief, Adam, Adamax, AdamW, Nadam, NadamW, RAdam
from trainer.optimizers.adaptive import Adadelta, Adagrad, RmsProp
from trainer.optimizers.averaging import ScheduleFreeAdamW, ScheduleFreeSgd
from trainer.optimizers.descent import Lion, Sgd
from trainer.optimizers.layerwise import Adafactor, Lamb, Lars, Muon, NovoGrad
from trainer.optimizers.section import Optimizer

__all__ = [
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AnyOptimizer",
    "Lamb",
    "Lars",
    "Lion",
    "Muon",
    "Nadam",
    "NadamW",
    "NovoGrad",
    "Optimizer",
    "RAdam",
    "RmsProp",
    "ScheduleFreeAdamW",
    "ScheduleFreeSgd",
    "Sgd",
]

AnyOptimizer = Annotated[
    Sgd
    | Adam
    | AdamW
    | Nadam
    | NadamW
    | Adamax
    | AdaBelief
    | RAdam
    | RmsProp
    | Adagrad
    | Adadelta
    | Lion
    | Lamb
    | Lars
    | NovoGrad
    | Adafactor
    | Muon
    | ScheduleFreeSgd
    | ScheduleFreeAdamW,
    Field(discriminator="kind"),
]
