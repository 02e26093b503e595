from __future__ import annotations

from pentad import Catalogue
from pentad.testing import SamplerConformance


class TestTypical(SamplerConformance):
    name = "typical"


class TestEpsilon(SamplerConformance):
    name = "epsilon"


class TestEta(SamplerConformance):
    name = "eta"


class TestTopNSigma(SamplerConformance):
    name = "top-n-sigma"


class TestXtc(SamplerConformance):
    name = "xtc"


class TestMirostat(SamplerConformance):
    name = "mirostat"


class TestRepetitionPenalty(SamplerConformance):
    name = "repetition-penalty"


class TestFrequencyPenalty(SamplerConformance):
    name = "frequency-penalty"


class TestPresencePenalty(SamplerConformance):
    name = "presence-penalty"


class TestNoRepeatNgram(SamplerConformance):
    name = "no-repeat-ngram"


class TestDry(SamplerConformance):
    name = "dry"


class TestBannedWords(SamplerConformance):
    name = "banned-words"
    options = {"words": ("eel", "oats", "e")}


def test_every_sampler_of_the_distribution_is_tested_above() -> None:
    offered = {offer.name for offer in Catalogue().offers("sampler") if offer.distribution == "pentad-samplers"}
    assert offered == {kit.name for kit in SamplerConformance.__subclasses__() if kit.__module__ == __name__}
