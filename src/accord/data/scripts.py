"""Which writing systems the texts are in, by counting characters."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_SCRIPTS = {
    "Latin": r"\p{Latin}",
    "Han": r"\p{Han}",
    "Japanese": r"[\p{Hiragana}\p{Katakana}]",
    "Hangul": r"\p{Hangul}",
    "Cyrillic": r"\p{Cyrillic}",
    "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}",
    "Greek": r"\p{Greek}",
    "Devanagari": r"\p{Devanagari}",
    "Thai": r"\p{Thai}",
}
_SAMPLE = 20_000
_HEAD = 300
"""Characters of each text that are looked at."""
_KANA = 5
"""Japanese mixes Han and kana; a kana counts this many times, so that a text with some is Japanese."""


def scripts(texts: Sequence[pl.Series]) -> list[dict[str, object]]:
    """Share of texts whose most frequent script is each one, most frequent first: ``script, texts, share``."""
    each = max(1, _SAMPLE // max(1, len(texts)))
    sample = pl.concat([pl.Series("text", dtype=pl.String), *(t.alias("text").drop_nulls().head(each) for t in texts)])
    head = pl.col("text").str.slice(0, _HEAD)
    counts = pl.DataFrame([sample]).select(
        (head.str.count_matches(pattern) * (_KANA if name == "Japanese" else 1)).alias(name)
        for name, pattern in _SCRIPTS.items()
    )
    found = counts.filter(pl.max_horizontal(pl.all()) > 0)
    best = found.select(pl.concat_list(pl.all()).list.arg_max().alias("script")).to_series()
    names = list(_SCRIPTS)
    ranked = sorted(best.value_counts().rows(), key=lambda row: (-row[1], row[0]))
    return [{"script": names[n], "texts": count, "share": round(count / best.len(), 4)} for n, count in ranked]
