"""Make small data for post-training from a seed: plain text, conversations and preferences.

python examples/talks.py FOLDER

Animals have a colour, a food and a place. `plain.txt` tells of them in sentences; `some.txt` is its beginning, and
`unseen.txt` has other texts of the kind, to judge on, and `strangers.txt` has such texts about 16 animals that stand in
none of the other files. `talks.jsonl` asks for the facts (half of its conversations go on with
a second question), `pairs.jsonl` prefers answers in a whole sentence over bare words, and `facts.jsonl` has each question
once, with the answer in a sentence.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ANIMALS = [
    "cat",
    "dog",
    "owl",
    "fox",
    "hen",
    "cow",
    "bee",
    "ant",
    "frog",
    "goat",
    "duck",
    "horse",
    "mouse",
    "snail",
    "crow",
    "sheep",
]
STRANGERS = ["lion", "wolf", "bear", "deer", "seal", "swan", "moth", "toad"]
STRANGERS += ["crab", "mole", "lynx", "hare", "pony", "wasp", "otter", "zebra"]
COLOURS = ["red", "grey", "brown", "white", "black", "golden"]
FOODS = ["seeds", "grass", "leaves", "honey", "fish", "bread", "apples", "worms"]
PLACES = ["barn", "forest", "garden", "river", "meadow", "attic", "cellar", "hill"]

Facts = dict[str, dict[str, str]]


def facts_of(generator: random.Random, animals: Sequence[str] = ANIMALS) -> Facts:
    """Return what is true of each animal."""
    return {
        animal: {"colour": generator.choice(COLOURS), "food": generator.choice(FOODS), "place": generator.choice(PLACES)}
        for animal in animals
    }


def story(generator: random.Random, facts: Facts) -> str:
    """Return a short text about two animals."""
    lines = []
    for animal in generator.sample(list(facts), 2):
        own = facts[animal]
        lines += generator.sample(
            [
                f"The {animal} is {own['colour']}.",
                f"The {animal} eats {own['food']}.",
                f"The {animal} lives in the {own['place']}.",
                f"In the {own['place']} there is a {own['colour']} {animal}.",
                f"Every morning the {animal} looks for {own['food']}.",
            ],
            3,
        )
    return " ".join(lines)


def questions(animal: str, own: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return the questions about an animal, each with its answer as a sentence, and as a bare word."""
    return [
        (f"What colour is the {animal}?", f"The {animal} is {own['colour']}.", own["colour"]),
        (f"What does the {animal} eat?", f"The {animal} eats {own['food']}.", own["food"]),
        (f"Where does the {animal} live?", f"The {animal} lives in the {own['place']}.", own["place"]),
    ]


def question(generator: random.Random, facts: Facts) -> tuple[str, str, str]:
    """Return a question, its answer as a sentence, and as a bare word."""
    animal = generator.choice(ANIMALS)
    return generator.choice(questions(animal, facts[animal]))


def talk(generator: random.Random, facts: Facts) -> dict[str, Any]:
    """Return a conversation; its answers are sentences or bare words, as it happens."""
    messages = []
    for _ in range(generator.choice([1, 2])):
        asked, sentence, word = question(generator, facts)
        messages += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": generator.choice([sentence, word])},
        ]
    return {"messages": messages}


def pair(generator: random.Random, facts: Facts) -> dict[str, str]:
    """Return a question with the answer that is preferred and the one that is not."""
    asked, sentence, word = question(generator, facts)
    return {"prompt": asked, "chosen": sentence, "rejected": word}


def main(folder: Path, seed: int = 0) -> None:
    """Write the files."""
    generator = random.Random(seed)
    facts = facts_of(generator)
    folder.mkdir(parents=True, exist_ok=True)
    stories = [story(generator, facts) for _ in range(3000)]
    for name, texts in (("plain", stories), ("some", stories[:600])):
        (folder / f"{name}.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    asked = [one for animal in ANIMALS for one in questions(animal, facts[animal])]
    lines = [json.dumps({"prompt": prompt, "completion": sentence}) for prompt, sentence, _ in asked]
    (folder / "facts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    other, known = random.Random(f"unseen {seed}"), set(stories)
    unseen = [text for text in (story(other, facts) for _ in range(200)) if text not in known]
    strangers = facts_of(other, STRANGERS)
    for name, texts in (("unseen", unseen), ("strangers", [story(other, strangers) for _ in range(200)])):
        (folder / f"{name}.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    for name, make, number in (("talks", talk, 1500), ("pairs", pair, 400)):
        lines = [json.dumps(make(generator, facts)) for _ in range(number)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
