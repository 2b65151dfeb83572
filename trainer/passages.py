"""From what a network for text wrote to pictures of it: pure and on the host, as `trainer.pictures` for other data."""

import time
from typing import Any

from numpy.typing import NDArray

from trainer.picture_file import Passage, Pictures
from trainer.subject import Subject, prompt_length


def passages_of(subject: Subject, written: NDArray[Any], epoch: int, step: int) -> Pictures:
    """Return the pictures.

    Args:
        subject: what was looked at.
        written: tokens that the network wrote after the beginning of each example, shape [examples, tokens].
        epoch: whose weights, from 0.
        step: updates behind them.
    """
    splits, part = subject.splits, subject.part
    assert splits.vocabulary is not None
    spelled = splits.vocabulary.spelled
    prompts = part.x[subject.rows, : prompt_length(splits.n_features)]
    return Pictures(
        time=time.time(),
        epoch=epoch,
        step=step,
        split=subject.split,
        examples=len(subject.rows),
        of=len(part),
        task=splits.task,
        image_shape=None,
        passages=[
            Passage(prompt=spelled(prompt), written=spelled(its)) for prompt, its in zip(prompts, written, strict=True)
        ],
    )
