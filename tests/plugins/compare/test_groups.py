"""Only what means the same is ranked."""

from __future__ import annotations

from pentad_compare.groups import FAILED, LOOKS_BOTH_WAYS, NOT_LOSSLESS, group
from pentad_compare.records import ArmResult, SeedResult


def arm(label, *scores):
    seeds = [
        SeedResult(seed=number, folder="", bits_per_byte=score, failure="" if score is not None else "it broke")
        for number, score in enumerate(scores)
    ]
    there = [score for score in scores if score is not None]
    mean = sum(there) / len(there) if there else None
    return ArmResult(label=label, settings={}, recipe={}, reproduce="", seeds=seeds, mean=mean)


def test_arms_are_ranked_within_their_group_and_compared_with_its_baseline():
    arms = [arm("a", 2.0, 2.1), arm("b", 1.0, 1.11), arm("c", 3.0, 3.1), arm("d", 1.5, 1.4), arm("e", None, None)]
    kinds = {"a": "", "b": "", "c": NOT_LOSSLESS, "d": NOT_LOSSLESS, "e": FAILED}
    ranked, changed, failed = group(arms, kinds, "a", 0.95, 0.01)
    assert (ranked.reason, ranked.arms, ranked.baseline) == ("", ["b", "a"], "a")
    assert [(each.arm, each.baseline) for each in ranked.differences] == [("b", "a")]
    assert (changed.reason, changed.arms, changed.baseline) == (NOT_LOSSLESS, ["d", "c"], "c")
    assert (failed.arms, failed.baseline, list(failed.differences)) == (["e"], "", [])


def test_arms_without_a_score_have_no_ranking():
    arms = [arm("m", None), arm("n", None)]
    (found,) = group(arms, {"m": LOOKS_BOTH_WAYS, "n": LOOKS_BOTH_WAYS}, "m", 0.95, 0.01)
    assert (found.reason, found.baseline, list(found.differences)) == (LOOKS_BOTH_WAYS, "", [])


def test_a_baseline_that_failed_gives_its_place_to_the_first_with_a_score():
    arms = [arm("a", None, None), arm("b", 1.0, 1.1), arm("c", 1.2, 1.25)]
    ranked, _ = group(arms, {"a": FAILED, "b": "", "c": ""}, "a", 0.95, 0.01)
    assert ranked.baseline == "b"


def test_a_seed_that_failed_is_left_out_of_the_pairs():
    arms = [arm("a", 2.0, 2.1, 2.2), arm("b", 1.0, None, 1.1)]
    (ranked,) = group(arms, {"a": "", "b": ""}, "a", 0.95, 0.01)
    assert ranked.differences[0].n_seeds == 2
