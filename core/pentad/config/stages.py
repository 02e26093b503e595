"""The five stages: one entry each, in the order in which the data meets them.

Catalogue, recipe, command line, scaffold, pages and conformance kit read this table; a sixth stage would be one entry, one
hook and one contract. Everything that it names is text, so that reading the table imports nothing.
"""

from __future__ import annotations

from typing import Literal

from pentad.system.frozen import Frozen

Stage = Literal["tokenizer", "builder", "model", "optimizer", "sampler"]


class StageSpec(Frozen):
    """What the engine knows of a stage.

    Args:
        name: the word for it: in flags (`--model`), recipes (`[model]`) and messages.
        hook: asked for its implementations.
        contracts: `module:Class` of what a factory must return; one of them.
        arguments: what every factory is given by name beside its options. It gets more of what core has (the tokenizer, the
            vocabulary, the catalogue) where it names it; one that takes `**` gets these and no more.
        conformance: `module:Class` of the kit that checks the contract.
        plural: heads a list of its implementations.
        purpose: what it turns into what, behind the plural; empty where the plural says it.
        help: one sentence for `--help`.
        dependencies: what an implementation imports beside the core, for a new distribution.
    """

    name: Stage
    hook: str
    contracts: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    conformance: str
    plural: str
    purpose: str
    help: str
    dependencies: tuple[str, ...] = ("torch>=2.11",)

    @property
    def title(self) -> str:
        """Return the heading of a list: `Tokenizers: text to tokens`."""
        return f"{self.plural}: {self.purpose}" if self.purpose else self.plural


STAGE_SPECS: dict[str, StageSpec] = {
    spec.name: spec
    for spec in (
        StageSpec(
            name="tokenizer",
            hook="engine_tokenizers",
            contracts=("pentad.contracts.tokenizer:Tokenizer",),
            conformance="pentad.testing.stages.tokenizer:TokenizerConformance",
            plural="Tokenizers",
            purpose="text to tokens",
            help="What cuts the text into tokens.",
            dependencies=("numpy>=1.26",),
        ),
        StageSpec(
            name="builder",
            hook="engine_example_builders",
            contracts=("pentad.contracts.builder:ExampleBuilder",),
            arguments=("context_length", "vocab_size", "end_of_text"),
            conformance="pentad.testing.stages.builder:ExampleBuilderConformance",
            plural="Example builders",
            purpose="tokens to what is learned",
            help="What makes examples of the tokens.",
            dependencies=("numpy>=1.26",),
        ),
        StageSpec(
            name="model",
            hook="engine_models",
            contracts=("pentad.contracts.model:Model",),
            arguments=("vocab_size", "context_length"),
            conformance="pentad.testing.stages.model:ModelConformance",
            plural="Models",
            purpose="",
            help="What learns.",
        ),
        StageSpec(
            name="optimizer",
            hook="engine_optimizers",
            contracts=("pentad.contracts.optimizer:Optimization",),
            conformance="pentad.testing.stages.optimizer:OptimizerConformance",
            plural="Optimizers",
            purpose="",
            help="What moves the parameters.",
        ),
        StageSpec(
            name="sampler",
            hook="engine_samplers",
            contracts=("pentad.contracts.sampler:Sampler", "pentad.contracts.session:Decoder"),
            conformance="pentad.testing.stages.sampler:SamplerConformance",
            plural="Samplers",
            purpose="how the next token is picked",
            help="What picks the next token.",
        ),
    )
}

STAGES: tuple[Stage, ...] = tuple(spec.name for spec in STAGE_SPECS.values())
"""Their names."""
