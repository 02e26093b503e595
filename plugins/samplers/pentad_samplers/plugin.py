"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="typical",
            summary="Draw among the tokens whose surprise is nearest to what the model expects.",
            factory="pentad_samplers.truncation:Typical",
            options="pentad_samplers.options:TypicalOptions",
        ),
        Implementation(
            name="epsilon",
            summary="Draw among the tokens that are not less likely than epsilon.",
            factory="pentad_samplers.truncation:Epsilon",
            options="pentad_samplers.options:EpsilonOptions",
        ),
        Implementation(
            name="eta",
            summary="Draw among the tokens that are not unlikely for how flat the distribution is.",
            factory="pentad_samplers.truncation:Eta",
            options="pentad_samplers.options:EtaOptions",
        ),
        Implementation(
            name="top-n-sigma",
            summary="Draw among the tokens within n standard deviations of the highest logit.",
            factory="pentad_samplers.truncation:TopNSigma",
            options="pentad_samplers.options:TopNSigmaOptions",
        ),
        Implementation(
            name="xtc",
            summary="Now and then leave out the likeliest tokens where several are likely.",
            factory="pentad_samplers.truncation:Xtc",
            options="pentad_samplers.options:XtcOptions",
        ),
        Implementation(
            name="mirostat",
            summary="Hold the surprise of the text at a level, by truncating more or less as it goes.",
            factory="pentad_samplers.mirostat:Mirostat",
            options="pentad_samplers.options:MirostatOptions",
        ),
        Implementation(
            name="repetition-penalty",
            summary="Make tokens that occurred less likely, by a factor on their logits.",
            factory="pentad_samplers.penalties:RepetitionPenalty",
            options="pentad_samplers.options:RepetitionPenaltyOptions",
        ),
        Implementation(
            name="frequency-penalty",
            summary="Make tokens less likely for each time that they occurred.",
            factory="pentad_samplers.penalties:FrequencyPenalty",
            options="pentad_samplers.options:FrequencyPenaltyOptions",
        ),
        Implementation(
            name="presence-penalty",
            summary="Make tokens that occurred less likely, however often.",
            factory="pentad_samplers.penalties:PresencePenalty",
            options="pentad_samplers.options:PresencePenaltyOptions",
        ),
        Implementation(
            name="no-repeat-ngram",
            summary="Write no sequence of n tokens twice.",
            factory="pentad_samplers.repeats:NoRepeatNgram",
            options="pentad_samplers.options:NoRepeatNgramOptions",
        ),
        Implementation(
            name="dry",
            summary="Make a token less likely the longer the passage is that it would repeat.",
            factory="pentad_samplers.repeats:Dry",
            options="pentad_samplers.options:DryOptions",
        ),
        Implementation(
            name="banned-words",
            summary="Never write certain words, however they are cut into tokens.",
            factory="pentad_samplers.words:BannedWords",
            options="pentad_samplers.options:BannedWordsOptions",
        ),
    ]
