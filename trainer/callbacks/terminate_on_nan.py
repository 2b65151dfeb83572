"""End a run whose loss is no longer a number. The check itself is the engine's, at the end of each device call."""

from trainer.fields import Section, fixed


class TerminateOnNaNSection(Section):
    """`callbacks.terminate_on_nan`."""

    enabled: bool = fixed(
        True,
        "End the run as diverged when the loss is NaN or infinite, without a validation pass; false keeps going.",
        source="Keras' TerminateOnNaN",
    )
