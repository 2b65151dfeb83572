"""What every optimizer has: the learning rate, and what can be put around any rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from trainer.fields import Section, live, structural

if TYPE_CHECKING:
    import optax

LEARNING_RATE = "Size of a step; the first thing to tune, in factors of 3. A schedule multiplies it."
"""What `learning_rate` is, for kinds that begin at another one."""

RATES = "Bengio 2012"
"""Where that is from: "Practical recommendations for gradient-based training of deep architectures"."""


class Optimizer(Section):
    """What every optimizer has.

    Attributes:
        STATE: the settings without which a state cannot be read: with others it is none to go on from.
    """

    STATE: ClassVar[tuple[str, ...]] = ("kind",)

    learning_rate: float = live(1e-3, LEARNING_RATE, gt=0, le=1e6, source=RATES)
    global_clipnorm: float = live(
        0.0, "Longest gradient allowed, of each batch, over all weights; longer ones are scaled down. 0: no limit.",
        ge=0, advanced=True, source="Pascanu, Mikolov and Bengio 2013",
    )  # fmt: skip
    clipvalue: float = live(
        0.0, "Largest number allowed in a gradient, of either sign; larger ones are cut. 0 for no limit.",
        ge=0, advanced=True, source="Mikolov 2012; Keras' clipvalue",
    )  # fmt: skip
    gradient_accumulation_steps: int = structural(
        1, "Batches whose mean gradient makes one step: a large batch in the memory of a small one.",
        unit="updates", ge=1, le=65_536, advanced=True, source="optax.MultiSteps",
    )  # fmt: skip
    use_ema: bool = structural(
        False, "Keep a running mean of the weights and validate it beside them, as ema_val_loss and so on.",
        advanced=True, source="Polyak and Juditsky 1992",
    )  # fmt: skip
    ema_momentum: float = live(
        0.99,
        "Share of the running mean kept in each update; 0.999 for long trainings.",
        ge=0,
        lt=1,
        advanced=True,
        source="Keras' ema_momentum",
    )
    lookahead_steps: int = structural(
        0, "Steps after which the weights fall back towards where they were; 5 to 10 is usual, 0 is off.",
        unit="updates", ge=0, le=65_536, advanced=True, source="Zhang et al. 2019",
    )  # fmt: skip
    lookahead_step_size: float = live(
        0.5,
        "Share of the way that is kept when they fall back; 0.5 to 0.8 is usual.",
        gt=0,
        le=1,
        advanced=True,
        source="Zhang et al. 2019",
    )
    sam: bool = structural(
        False, "Sharpness-aware: take the gradient where the loss is worst nearby. Each update takes twice as long.",
        advanced=True, source="Foret et al. 2021",
    )  # fmt: skip
    sam_rho: float = live(
        0.05, "How far away nearby is; 0.01 to 0.2 is usual.", ge=0, advanced=True, source="Foret et al. 2021"
    )

    def build(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:
        """Return the transformation of all gradients.

        Args:
            learning_rate: a scalar, schedule applied.
            kernels: which arrays are weights of a layer, as `Network.kernels` returns them.
        """
        from trainer.optimizers.wrapping import accumulated

        return accumulated(self.step(learning_rate, kernels), self.gradient_accumulation_steps)

    def step(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:
        """Return the transformation of one step, however many gradients it is made of."""
        from trainer.optimizers.wrapping import looking_ahead

        rule = self.decayed(self.by_layer(learning_rate, kernels), learning_rate, kernels)
        return looking_ahead(rule, self.lookahead_steps, self.lookahead_step_size)

    def step_state(self, state: optax.OptState) -> optax.OptState:
        """Return the part of the state of `build` that is the state of `step`."""
        return state.inner_opt_state if self.gradient_accumulation_steps > 1 else state

    def by_layer(self, learning_rate: Any, kernels: Any) -> optax.GradientTransformation:  # noqa: ARG002
        """Return how the arrays of all layers move: by `rule`, unless a kind looks at more than single numbers."""
        from trainer.packing import packed

        return packed(self.rule(learning_rate))

    def rule(self, learning_rate: Any) -> optax.GradientTransformation:
        """Return how a number moves; it looks at no neighbour, so that it may be packed with others."""
        raise NotImplementedError

    def decayed(
        self,
        rule: optax.GradientTransformation,
        learning_rate: Any,  # noqa: ARG002
        kernels: Any,  # noqa: ARG002
    ) -> optax.GradientTransformation:
        """Return the rule with weight decay, where it is apart from the gradient."""
        return rule

    @property
    def evaluates_others(self) -> bool:
        """Return whether the weights to use are others than those that are trained."""
        return self.lookahead_steps > 0

    def to_evaluate(self, state: optax.OptState, parameters: Any) -> Any:
        """Return the weights to use, of the same shapes as those that are trained.

        Args:
            state: of `build`.
            parameters: as trained.
        """
        return self.step_state(state).slow if self.lookahead_steps else parameters


class Decaying(Optimizer):
    """An optimizer whose weight decay is apart from the gradient; biases and norms are left alone."""

    weight_decay: float = live(
        1e-2, "Share of every weight taken off per unit of learning rate; 0.01 to 0.1 is usual.",
        ge=0, source="Loshchilov and Hutter 2019",
    )  # fmt: skip

    def decayed(  # noqa: D102
        self, rule: optax.GradientTransformation, learning_rate: Any, kernels: Any
    ) -> optax.GradientTransformation:
        import optax

        from trainer.optimizers.wrapping import decaying

        return optax.chain(rule, optax.add_decayed_weights(-learning_rate * self.weight_decay, decaying(kernels)))
