"""Only scores that mean the same are ranked together."""

from __future__ import annotations

from pentad_compare.records import BITS_PER_BYTE, ArmResult, Metric, SeedResult
from pentad_compare.verdicts.groups import FAILED, NOT_JUDGED, NOT_LOSSLESS, comparable, group

ACCURACY = Metric(evaluator="masked-accuracy", name="accuracy", lower_is_better=False)


def arm(label, *scores, metric=BITS_PER_BYTE, tokenizer="byte"):
    seeds = [
        SeedResult(seed=number, folder="", score=score, failure="" if score is not None else "it broke")
        for number, score in enumerate(scores)
    ]
    there = [score for score in scores if score is not None]
    mean = sum(there) / len(there) if there else None
    recipe = {"tokenizer": {"name": tokenizer}}
    return ArmResult(
        label=label, settings={}, recipe=recipe, reproduce="", seeds=seeds, mean=mean, metric=metric if there else None
    )


def grouped(arms, baseline, lossy=()):
    kinds = {each.label: comparable(each, each.label not in lossy) for each in arms}
    return group(arms, kinds, baseline, 0.95, 0.01)


def test_arms_are_ranked_within_their_group_and_compared_with_its_baseline():
    arms = [arm("a", 2.0, 2.1), arm("b", 1.0, 1.11), arm("e", None, None)]
    ranked, failed = grouped(arms, "a")
    assert (ranked.reason, ranked.metric, ranked.arms, ranked.baseline) == ("", BITS_PER_BYTE, ["b", "a"], "a")
    assert [(each.arm, each.baseline, each.verdict) for each in ranked.differences] == [("b", "a", "better")]
    assert (failed.reason, failed.metric, failed.arms, failed.baseline, list(failed.differences)) == (
        FAILED,
        None,
        ["e"],
        "",
        [],
    )


def test_a_score_of_which_more_is_better_ranks_from_the_highest():
    arms = [arm("a", 0.2, 0.21, metric=ACCURACY), arm("b", 0.5, 0.52, metric=ACCURACY)]
    (ranked,) = grouped(arms, "a")
    assert (ranked.reason, ranked.metric, ranked.arms) == ("", ACCURACY, ["b", "a"])
    (difference,) = ranked.differences
    assert difference.mean > 0 and difference.verdict == "better"
    assert "b is measurably better than a by 0.30" in difference.words and "in accuracy" in difference.words


def test_scores_of_different_evaluators_get_no_verdict():
    arms = [arm("a", 2.0, 2.1), arm("b", 0.5, 0.4, metric=ACCURACY), arm("c", 1.0, 1.1)]
    main, other = grouped(arms, "a")
    assert (main.metric, main.arms, main.reason) == (BITS_PER_BYTE, ["c", "a"], "")
    assert (other.metric, other.arms, list(other.differences)) == (ACCURACY, ["b"], [])
    assert "masked-accuracy" in other.reason
    assert [each.metric for each in grouped(arms, "b")] == [ACCURACY, BITS_PER_BYTE]  # the baseline's group comes first


def test_lossy_tokenizers_compare_with_themselves_only():
    arms = [arm("a", 2.0, 2.1), *(arm(name, 1.0, 1.1, tokenizer=f"lossy-{name[0]}") for name in ("b1", "b2", "c1"))]
    main, first, second = grouped(arms, "a", lossy=("b1", "b2", "c1"))
    assert (main.arms, list(main.differences)) == (["a"], [])
    assert (first.reason, first.arms, [each.arm for each in first.differences]) == (NOT_LOSSLESS, ["b1", "b2"], ["b2"])
    assert (second.reason, second.arms, list(second.differences)) == (NOT_LOSSLESS, ["c1"], [])


def test_arms_that_no_evaluator_judged_have_no_ranking():
    unjudged = ArmResult(
        label="m", settings={}, recipe={}, reproduce="", seeds=[SeedResult(seed=0, folder="")], metric=None, mean=None
    )
    (found,) = grouped([unjudged], "m")
    assert (found.reason, found.metric, found.baseline, list(found.differences)) == (NOT_JUDGED, None, "", [])


def test_a_baseline_that_failed_gives_its_place_to_the_first_with_a_score():
    arms = [arm("a", None, None), arm("b", 1.0, 1.1), arm("c", 1.2, 1.25)]
    ranked, _ = grouped(arms, "a")
    assert ranked.baseline == "b"


def test_a_seed_that_failed_is_left_out_of_the_pairs():
    arms = [arm("a", 2.0, 2.1, 2.2), arm("b", 1.0, None, 1.1)]
    (ranked,) = grouped(arms, "a")
    assert ranked.differences[0].n_seeds == 2
