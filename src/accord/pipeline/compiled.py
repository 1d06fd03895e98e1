"""A catalogue that rules are compiled against: masks of items, kept by the rules they were made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import numpy as np
import pyarrow as pa

from accord.core.arrays import Bools, Longs
from accord.core.errors import InputError
from accord.pipeline.fields import Fields, Kind, Numbers
from accord.pipeline.rules import NO, YES, Age, Available, Condition, Region, Rules, Selection, Stock, Value, moment_of

MASKS = 1 << 25
"""Bytes of compiled masks that are kept at most: 32 MiB, which is 335 masks of 100,000 items."""


class CompiledCatalogue:
    """The items of one pipeline, ready for rules. It holds what never changes; a new catalogue makes a new one.

    What is the same for every query (availability, stock, blocked items, filters) is compiled once for each set of
    rules; regions once for each region; ages are compared on each request.
    """

    def __init__(self, items: pa.Table, numbers: Mapping[str, int]) -> None:
        self.n_items = items.num_rows
        self.fields = Fields(items)
        self.numbers = numbers
        """Item number by id."""
        self._masks = OrderedDict[tuple[str, ...], Bools]()
        self._lock = Lock()

    def fixed(self, rules: Rules) -> Bools:
        """``bool[n_items]``, shared and not to be written: what the rules leave that hold for every query alike."""
        return self._kept(("rules", rules.key), lambda: self._compile(rules))

    def at(self, rules: Rules, now: float, context: Mapping[str, object]) -> Bools:
        """``bool[n_items]``, fresh: what age and region leave of a query asked at ``now`` in these circumstances."""
        mask = np.ones(self.n_items, dtype=bool)
        if rules.age is not None:
            mask &= self._age(rules.age, now)
        if rules.region is not None:
            found = context.get(rules.region.context)
            mask &= self._region(rules.region, rules.region.default if found is None else str(found))
        return mask

    def check(self, rules: Rules) -> None:
        """Raise ``InputError`` where a rule reads a field that does not exist or holds something else."""
        self.fixed(rules)
        if rules.age is not None:
            self.fields.need(rules.age.field, "rules.age", "number", "time")
        if rules.region is not None:
            self.fields.need(rules.region.field, "rules.region", "text", "list")

    def among(self, ids: Sequence[str]) -> Longs:
        """The numbers of those ids that the catalogue knows, in the given order."""
        return np.array([self.numbers[name] for name in ids if name in self.numbers], dtype=np.int64)

    def selected(self, selection: Selection, place: str) -> Bools:
        """``bool[n_items]``: the items that a selection names."""
        mask = np.zeros(self.n_items, dtype=bool)
        mask[self.among(selection.items)] = True
        for field, values in selection.values.items():
            mask |= self._having(field, values, f"{place}.values.{field}")
        return mask

    def _kept(self, key: tuple[str, ...], make: Callable[[], Bools]) -> Bools:
        with self._lock:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        mask = make()
        mask.setflags(write=False)
        with self._lock:
            self._masks[key] = mask
            while len(self._masks) > max(2, MASKS // max(1, self.n_items)):
                self._masks.popitem(last=False)
        return mask

    def _compile(self, rules: Rules) -> Bools:
        mask = np.full(self.n_items, rules.only is None)
        if rules.only is not None:
            mask[self.among(rules.only)] = True
        mask[self.among(rules.blocked)] = False
        if rules.available is not None:
            mask &= self._available(rules.available)
        if rules.stock is not None:
            mask &= self._stock(rules.stock)
        for field, condition in rules.filters.items():
            mask &= self._condition(field, condition, f"rules.filters.{field}")
        return mask

    def _available(self, rule: Available) -> Bools:
        place = "rules.available"
        kind = self.fields.need(rule.field, place, "yes or no", "number", "text")
        if kind == "number":
            if rule.values:
                raise InputError(f"the field {rule.field!r} holds numbers", place=place, value=rule.values)
            numbers = self.fields.numbers(rule.field)
            return _with_unknown(numbers.values > 0, numbers.known, show=rule.unknown == "show")
        words = self.fields.words(rule.field)
        yes = rule.values or tuple(word for word in words.words if word.strip().lower() in YES)
        odd = [word for word in words.words if word and word.strip().lower() not in YES | NO]
        if odd and not rule.values:
            raise InputError(
                f"a label of the field {rule.field!r} says neither yes nor no",
                place=place,
                value=odd[0],
                remedy="Say which labels mean available: values = [...].",
            )
        return _with_unknown(words.having(yes), words.known, show=rule.unknown == "show")

    def _stock(self, rule: Stock) -> Bools:
        self.fields.need(rule.field, "rules.stock", "number")
        numbers = self.fields.numbers(rule.field)
        return _with_unknown(numbers.values > rule.above, numbers.known, show=rule.unknown == "show")

    def _age(self, rule: Age, now: float) -> Bools:
        self.fields.need(rule.field, "rules.age", "number", "time")
        show = rule.unknown == "show"
        if np.isnan(now):
            return np.full(self.n_items, show)
        numbers = self.fields.numbers(rule.field)
        inside = numbers.values <= now - rule.low  # False where the time is unknown
        if rule.high is not None:
            inside &= numbers.values >= now - rule.high
        return _with_unknown(inside, numbers.known, show=show)

    def _region(self, rule: Region, region: str | None) -> Bools:
        """An item without any region belongs everywhere, unless ``unknown`` says otherwise."""
        self.fields.need(rule.field, "rules.region", "text", "list")
        words = self.fields.words(rule.field)
        key = ("region", rule.field, rule.unknown, *(() if region is None else (region,)))
        there, show = [region] if region else [], rule.unknown == "show"
        return self._kept(key, lambda: _with_unknown(words.having(there), words.known, show=show))

    def _condition(self, field: str, rule: Condition, place: str) -> Bools:
        kind = self.fields.kind(field, place)
        mask = np.ones(self.n_items, dtype=bool)
        if rule.among is not None:
            mask &= self._having(field, rule.among, f"{place}.in")
        if rule.no is not None:
            mask &= ~self._having(field, rule.no, f"{place}.not")
        if rule.bounded:
            self.fields.need(field, place, "number", "time")
            mask &= _within(self.fields.numbers(field), field, kind, rule, place)
        known = self.fields.numbers(field).known if kind in ("number", "time") else self.fields.words(field).known
        return _with_unknown(mask, known, show=rule.shows_unknown)

    def _having(self, field: str, values: Sequence[Value], place: str) -> Bools:
        """Items with any of the values. Raises ``InputError`` where a value is not of the field's kind."""
        kind = self.fields.kind(field, place)
        if kind in ("number", "time"):
            wanted = [_number(value, field, kind, place) for value in values]
            return np.isin(self.fields.numbers(field).values, np.array(wanted, np.float64))
        return self.fields.words(field).having([_word(value, field, kind, place) for value in values])


def _with_unknown(mask: Bools, known: Bools, *, show: bool) -> Bools:
    """The mask, with the items of which nothing is known shown or hidden."""
    return mask | ~known if show else mask & known


def _within(numbers: Numbers, field: str, kind: Kind, rule: Condition, place: str) -> Bools:
    mask = numbers.known.copy()
    if rule.low is not None:
        mask &= numbers.values >= _number(rule.low, field, kind, f"{place}.min")
    if rule.high is not None:
        mask &= numbers.values <= _number(rule.high, field, kind, f"{place}.max")
    return mask


def _number(value: Value, field: str, kind: Kind, place: str) -> float:
    """A number, or on a field of times a date of ISO 8601."""
    try:
        if not isinstance(value, bool) and (kind == "time" or not isinstance(value, str)):
            return moment_of(value)
    except ValueError:
        pass
    wanted = "times (seconds since 1970, or ISO 8601)" if kind == "time" else "numbers"
    raise InputError(f"the field {field!r} holds {wanted}", place=place, value=value)


def _word(value: Value, field: str, kind: Kind, place: str) -> str:
    """A label; yes and no are told as ``true`` and ``false``, as they are imported."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and kind != "yes or no":
        return value
    wanted = "true or false" if kind == "yes or no" else "text"
    raise InputError(f"the field {field!r} holds {wanted}", place=place, value=value)
