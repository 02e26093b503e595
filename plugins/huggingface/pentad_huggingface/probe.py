"""A text of many scripts, with which a tokenizer shows whether it gives back what it was given."""

from __future__ import annotations

from collections.abc import Iterator

_SENTENCES = (
    "The tokenizer cuts a text into pieces, and each piece has a number.",
    "Don't! It's 3.14159 or 1,000,000; isn't it? (He said: “yes”.) e-mail@example.org, C:\\path, a/b, x = y**2",
    "Größe, naïve façade, Ångström, İstanbul, ŒUVRE, ñandú, žluťoučký kůň",
    "Ελληνικά, русский язык, українська, հայերեն, ქართული, עברית, العربية, فارسی",
    "हिन्दी, বাংলা, தமிழ், ไทย, ລາວ, မြန်မာ, አማርኛ, ខ្មែរ, བོད་སྐད",
    "日本語の文章。カタカナ、ｶﾀｶﾅ、中文句子，繁體字，한국어 문장 한글",
    "ﬁ ﬀ Ａ１ ² ½ № ™ ∑ ∞ → ≠ 𝔘𝔫𝔦 🙂 👨‍👩‍👧 🇩🇪 👍🏽",
    "def f(x):\n    if x:\n\t\treturn [x]\n\n\n    return {}\r\n",
    "<s></s><unk><pad>[UNK][CLS][MASK]<0x41><|endoftext|>##ing @@ </w> ▁ ▁▁a Ġ Ċ Ã",
)

_SPACES = (
    " ",
    "  ",
    "a",
    " a",
    "a ",
    "   a   b   ",
    "\n",
    "\n a",
    "a\n\n b \n",
    "\t\ta\t",
    "a . b , c",
    "do n't 's",
    "a\u00a0b\u3000c",
)

_NORMALIZED = (
    "e\u0301",
    "\u00e9",
    "\u1e9b\u0323",
    "\u212b",
    "\ufeffa",
    "\u200b\u200d\u00ad",
    "\u1100\u1161",
    "\x00\x01\x7f\x85",
    "\u2028",
)


def texts(added: list[str]) -> Iterator[str]:
    """Yield the texts: sentences, white space, what normalizers change, every byte of UTF-8, and the file's own tokens.

    Args:
        added: spellings of tokens that the file finds in texts before anything else.
    """
    yield from _SENTENCES
    yield from _SPACES
    yield from _NORMALIZED
    yield from every_byte()
    for spelling in added[:1000]:
        yield f"a {spelling} b{spelling}"


def every_byte() -> Iterator[str]:
    """Yield characters that hold every byte that UTF-8 can have, in each place that it can have it, one line a row."""
    yield "".join(map(chr, range(0x80)))
    for start in range(0x80, 0x800, 0x40):  # first bytes C2 to DF, each with all that can follow
        yield "".join(map(chr, range(start, start + 0x40)))
    for start in range(0x800, 0xD800, 0x1000):  # with first bytes E0 to ED
        yield "".join(map(chr, range(start, min(start + 0x1000, 0xD800), 0x53)))
    yield "".join(chr(code) for code in range(0xE000, 0x10000, 0x95))
    yield "".join(chr(code) for code in range(0x10000, 0x110000, 0x2B1))
