"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl

SAMPLERS = (
    Implementation(
        name="typical",
        summary="Draw among the tokens whose surprise is nearest to what the model expects.",
        source="Meister et al., Locally Typical Sampling, 2022",
        factory="pentad_samplers.truncation:Typical",
        options="pentad_samplers.options:TypicalOptions",
    ),
    Implementation(
        name="epsilon",
        summary="Draw among the tokens that are not less likely than epsilon.",
        source="Hewitt, Manning and Liang, Truncation Sampling as Language Model Desmoothing, 2022",
        factory="pentad_samplers.truncation:Epsilon",
        options="pentad_samplers.options:EpsilonOptions",
    ),
    Implementation(
        name="eta",
        summary="Draw among the tokens that are not unlikely for how flat the distribution is.",
        source="Hewitt, Manning and Liang, Truncation Sampling as Language Model Desmoothing, 2022",
        factory="pentad_samplers.truncation:Eta",
        options="pentad_samplers.options:EtaOptions",
    ),
    Implementation(
        name="top-n-sigma",
        summary="Draw among the tokens within n standard deviations of the highest logit.",
        source="Tang et al., Top-n\N{GREEK SMALL LETTER SIGMA}: Not All Logits Are You Need, 2024",
        factory="pentad_samplers.truncation:TopNSigma",
        options="pentad_samplers.options:TopNSigmaOptions",
    ),
    Implementation(
        name="xtc",
        summary="Now and then leave out the likeliest tokens where several are likely.",
        source="Weidmann, Exclude Top Choices, text-generation-webui, 2024",
        factory="pentad_samplers.truncation:Xtc",
        options="pentad_samplers.options:XtcOptions",
    ),
    Implementation(
        name="mirostat",
        summary="Hold the surprise of the text at a level, by truncating more or less as it goes.",
        source="Basu et al., Mirostat: A Neural Text Decoding Algorithm, 2021",
        factory="pentad_samplers.mirostat:Mirostat",
        options="pentad_samplers.options:MirostatOptions",
    ),
    Implementation(
        name="repetition-penalty",
        summary="Make tokens that occurred less likely, by a factor on their logits.",
        source="Keskar et al., CTRL: A Conditional Transformer Language Model for Controllable Generation, 2019",
        factory="pentad_samplers.penalties:RepetitionPenalty",
        options="pentad_samplers.options:RepetitionPenaltyOptions",
    ),
    Implementation(
        name="frequency-penalty",
        summary="Make tokens less likely for each time that they occurred.",
        source="OpenAI, the parameter of the completions, 2020",
        factory="pentad_samplers.penalties:FrequencyPenalty",
        options="pentad_samplers.options:FrequencyPenaltyOptions",
    ),
    Implementation(
        name="presence-penalty",
        summary="Make tokens that occurred less likely, however often.",
        source="OpenAI, the parameter of the completions, 2020",
        factory="pentad_samplers.penalties:PresencePenalty",
        options="pentad_samplers.options:PresencePenaltyOptions",
    ),
    Implementation(
        name="no-repeat-ngram",
        summary="Write no sequence of n tokens twice.",
        source="Paulus, Xiong and Socher, A Deep Reinforced Model for Abstractive Summarization, 2017",
        factory="pentad_samplers.repeats:NoRepeatNgram",
        options="pentad_samplers.options:NoRepeatNgramOptions",
    ),
    Implementation(
        name="dry",
        summary="Make a token less likely the longer the passage is that it would repeat.",
        source="Weidmann, Don't Repeat Yourself, text-generation-webui, 2024",
        factory="pentad_samplers.repeats:Dry",
        options="pentad_samplers.options:DryOptions",
    ),
    Implementation(
        name="banned-words",
        summary="Never write certain words, however they are cut into tokens.",
        source="own",
        factory="pentad_samplers.words:BannedWords",
        options="pentad_samplers.options:BannedWordsOptions",
    ),
)


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return SAMPLERS
