"""From a text to terms: words and pairs, and for Chinese a segmenter and n-grams of characters."""

from __future__ import annotations

import importlib.util
import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal, TypeAlias

from accord.core.errors import InputError

Characters: TypeAlias = Literal["auto", "words", "chars", "both"]
Cut: TypeAlias = Callable[[str], list[str]]

# Han with its extensions, and the kana: scripts that write no spaces between words.
HAN = re.compile(r"[\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
WORD = re.compile(r"\b\w\w+\b")
ANY_WORD = re.compile(r"\w+")


def has_jieba() -> bool:
    """Whether the extra ``chinese`` is installed."""
    return importlib.util.find_spec("jieba") is not None


def terms(text: str, ngrams: tuple[int, int], characters: Characters, chars: tuple[int, int], cut: Cut) -> list[str]:
    """All terms of one text, with repeats.

    ``ngrams``: shortest and longest run of words; ``chars``: the same for characters within a word of a spaced
    script. Han runs give words by ``cut`` and single characters and pairs of them.
    """
    found: list[str] = []
    text = text.lower()
    if characters != "chars":
        found += _runs(list(_words(text, cut)), ngrams)
    if characters != "words":
        for run in HAN.findall(text):
            found += _slices(run, (1, 2))
    if characters in ("chars", "both"):
        for word in ANY_WORD.findall(HAN.sub(" ", text)):
            found += _slices(f" {word} ", chars)
    return found


def single(text: str) -> list[str]:
    """Cut a Han run into its characters: what is done without a segmenter."""
    return list(text)


@cache
def segmenter() -> Cut:
    """jieba, loaded on first use and kept quiet. Raises ``InputError`` where it is not installed."""
    if not has_jieba():
        raise InputError(
            "these terms were cut by jieba", remedy="Install the extra, in the checkout: pip install '.[chinese]'."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escape sequences in its source, pkg_resources
        import jieba
    logging.getLogger("jieba").setLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        # Its default is a marshalled cache in the shared temporary folder, where anybody may have put the file.
        tokenizer.tmp_dir = folder  # pyright: ignore[reportAttributeAccessIssue]
        tokenizer.initialize()
    return tokenizer.lcut


def _words(text: str, cut: Cut) -> Iterator[str]:
    """Words in the order of the text, Han runs cut into words."""
    start = 0
    for run in HAN.finditer(text):
        yield from WORD.findall(text[start : run.start()])
        yield from cut(run.group())
        start = run.end()
    yield from WORD.findall(text[start:])


def _runs(words: list[str], sizes: tuple[int, int]) -> list[str]:
    low, high = sizes
    return [" ".join(words[i : i + n]) for n in range(low, high + 1) for i in range(len(words) - n + 1)]


def _slices(text: str, sizes: tuple[int, int]) -> list[str]:
    low, high = sizes
    return [text[i : i + n] for n in range(low, high + 1) for i in range(len(text) - n + 1)]
