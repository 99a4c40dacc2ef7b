"""English sentences to be spoken, out of Debian's collections of quotations (package fortunes)."""

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/usr/share/games/fortunes")
# The collections that are plain English; others hold code, definitions, dialects or jokes at someone's expense.
COLLECTIONS = (
    "art", "computers", "cookie", "education", "food", "fortunes", "law", "literature", "medicine", "miscellaneous",
    "news", "paradoxum", "people", "pets", "platitudes", "riddles", "science", "sports", "wisdom", "work",
)
WORDS = range(5, 17)  # of a sentence: two to six seconds

ATTRIBUTION = re.compile(r"^\s+--.*", re.MULTILINE | re.DOTALL)
BORDER = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z])")
# Letters alone: no figures, abbreviations in capitals or anything else that voices might read in different ways.
PLAIN = re.compile(r"[A-Z][a-z']*(?:[,;]? [A-Za-z][a-z']*|-[a-z]+)*[.!?]")


def sentences_of(quotations: str) -> Iterator[str]:
    """The plain sentences of a text whose quotations are parted by lines of '%'."""
    for quotation in quotations.split("\n%\n"):
        words = " ".join(ATTRIBUTION.sub("", quotation).split())
        for sentence in BORDER.split(words):
            sentence = sentence.strip("\"'() ")
            if PLAIN.fullmatch(sentence) and len(sentence.split()) in WORDS:
                yield sentence


def sentences(folder: Path = FOLDER) -> list[str]:
    """Every plain sentence once, in the order of the collections."""
    return list(dict.fromkeys(s for name in COLLECTIONS for s in sentences_of((folder / name).read_text("utf-8"))))
