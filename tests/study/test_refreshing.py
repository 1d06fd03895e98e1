"""A trained shop, a store with newer events, and what a refresh makes of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.data import splits
from accord.data.holdout import hold_out
from accord.data.store import Event, SqliteStore, Store, seed
from accord.evaluate.judged import Judged
from accord.evaluate.metrics import ndcg
from accord.pipeline.artefact import load, save
from accord.pipeline.learning import learn
from accord.pipeline.spec import spec_of
from accord.registry import Registry
from accord.registry.durable import locked_at_once
from accord.study import refreshing, snapshots
from accord.study.contest import Verdict, judge, lists
from accord.study.holding_back import hold_back, new_events
from accord.study.refreshing import Wishes, refresh

FAST = """
name = "fast"
hide = 0.0
[sources.popular]
kind = "popular"
[sources.knn]
kind = "item_knn"
"""
POOR = """
name = "poor"
hide = 0.0
[sources.popular]
kind = "popular"
"""


def older(data: Dataset, share: float = 0.6) -> Dataset:
    """The oldest events of a log."""
    return data.with_events(np.arange(data.n_events) < share * data.n_events)


def train(data: Dataset, folder: Path, text: str = FAST) -> Path:
    run = shop.run()
    learned = learn(spec_of(text, "test"), splits.validation_only(data, run.rng("validation")), run)
    save(learned.pipeline, folder, {"target": "items", "event_weights": {"buy": 3.0}})
    return folder


def events_of(data: Dataset, rows: np.ndarray) -> list[Event]:
    return [
        Event(
            f"live-{row}",
            data.user_ids[data.event_users[row]],
            data.item_ids[data.event_items[row]],
            timestamp=float(data.event_times[row]),
            weight=float(data.event_weights[row]),
        )
        for row in rows.tolist()
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path / "run.store.db")
    yield opened
    opened.close()


@pytest.fixture
def run(shop_data: Dataset, tmp_path: Path) -> Path:
    """Trained on the first six tenths of the shop's events."""
    return train(older(shop_data), tmp_path / "run")


@pytest.fixture
def fed(store: Store, run: Path, shop_data: Dataset) -> Store:
    """The store with everything: the run's events as the server seeds them, then the newer ones."""
    seed(store, Registry.around(run).load(Registry.around(run).live() or "").data)
    store.append_events(events_of(shop_data, np.arange(older(shop_data).n_events, shop_data.n_events)))
    return store


def test_a_refresh_learns_the_new_events_and_goes_live(run: Path, fed: Store, shop_data: Dataset) -> None:
    first = Registry.around(run).live()
    done = refresh(run, fed, shop.run())
    registry = Registry.around(run)
    assert (done.outcome, done.live, registry.live()) == ("promoted", done.version, done.version)
    assert registry.previous() == first
    assert done.events == shop_data.n_events
    assert done.new_events == shop_data.n_events - older(shop_data).n_events
    live = registry.load(done.live)
    assert live.data.n_events == shop_data.n_events  # the held-back events are learned from in the end
    told = registry.card(done.live)["refresh"]
    assert told["from"] == first
    assert told["verdict"] == done.verdict
    assert told["verdict"]["accepted"]
    assert told["verdict"]["low"] <= told["verdict"]["difference"] <= told["verdict"]["high"]
    assert told["verdict"]["queries"] >= 20
    assert registry.card(done.live)["event_weights"] == {"buy": 3.0}
    assert live.spec == registry.load(first or "").spec
    assert not (registry.folder / "refresh").exists()


def test_the_figures_are_those_of_the_same_pipelines_made_by_hand(run: Path, fed: Store, shop_data: Dataset) -> None:
    """Golden: the live lists come from the artefact and the shop's own numbers, without the code of the contest."""
    done = refresh(run, fed, shop.run(), Wishes(promote=False))
    assert done.verdict is not None
    live = Registry.around(run).load(done.live)
    rows = np.flatnonzero(np.arange(shop_data.n_events) >= older(shop_data).n_events)
    held = np.zeros(shop_data.n_events, dtype=bool)
    held[rows[-min(len(rows) // 2, int(np.ceil(shop_data.n_events / 10))) :]] = True
    holdout, _ = hold_out(shop_data.with_events(~held), shop_data.with_events(held))
    assert live.data.item_ids.tolist() == shop_data.item_ids.tolist()
    slate = live.recommend(holdout.queries, 10)
    values = ndcg.of(Judged.of(slate, holdout.truth), 10)
    assert done.verdict["queries"] == len(holdout)
    assert done.verdict["live"] == pytest.approx(float(values.mean()), abs=1e-6)


def test_a_worse_candidate_is_kept_but_not_live(run: Path, fed: Store) -> None:
    first = Registry.around(run).live()
    done = refresh(run, fed, shop.run(), Wishes(spec=spec_of(POOR, "test")))
    registry = Registry.around(run)
    assert (done.outcome, done.live, registry.live()) == ("kept", first, first)
    assert done.verdict is not None
    assert done.verdict["difference"] < -done.verdict["error"]
    [candidate] = [one for one in registry.versions() if one.stage == "candidate"]
    assert candidate.version == done.version
    assert "worse by more than one standard error" in candidate.note
    assert registry.card(candidate.version)["refresh"]["reason"] in candidate.note
    assert "worse" in str(done)


def test_without_promotion_it_stays_a_candidate(run: Path, fed: Store) -> None:
    first = Registry.around(run).live()
    done = refresh(run, fed, shop.run(), Wishes(promote=False))
    assert (done.outcome, Registry.around(run).live()) == ("published", first)
    assert Registry.around(run).version(done.version or "").stage == "candidate"


def test_nothing_new_does_nothing(run: Path, store: Store) -> None:
    done = refresh(run, store, shop.run())  # which seeds the empty store
    assert (done.outcome, done.version, done.new_events) == ("skipped", None, 0)
    assert len(Registry.around(run).versions()) == 1
    assert store.counts()["events"] == done.events > 0


def test_a_second_refresh_judges_by_what_came_after_the_first(run: Path, fed: Store) -> None:
    refresh(run, fed, shop.run())
    assert refresh(run, fed, shop.run()).outcome == "skipped"


def test_what_went_live_meanwhile_is_left_alone(
    run: Path, fed: Store, monkeypatch: pytest.MonkeyPatch, shop_data: Dataset, tmp_path: Path
) -> None:
    other = train(older(shop_data, 0.5), tmp_path / "other")

    def judged_slowly(*arguments: object) -> Verdict:
        Registry.beside(run).publish(other, "live")
        return judge(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(refreshing, "judge", judged_slowly)
    done = refresh(run, fed, shop.run())
    assert done.outcome == "kept"
    assert "went live meanwhile" in done.reason
    assert Registry.beside(run).live() == done.live != done.version


def test_two_refreshes_never_work_at_once(run: Path, fed: Store) -> None:
    folder = Registry.around(run).folder
    with (
        locked_at_once(folder / "refresh.lock") as free,
        pytest.raises(InputError, match="another refresh of this run is at work"),
    ):
        assert free
        refresh(run, fed, shop.run())


def test_new_items_come_in_and_deleted_items_go(run: Path, fed: Store) -> None:
    live = Registry.around(run).load(Registry.around(run).live() or "")
    gone = live.data.item_ids[int(np.argmax(live.data.item_counts))]
    fed.put_items([("brand-new", {"title": "a new thing"})])
    fed.delete_items([gone])
    fed.append_events([Event("e-new", live.data.user_ids[0], "brand-new", timestamp=2e9)])
    done = refresh(run, fed, shop.run())
    assert done.outcome == "promoted"
    catalogue = Registry.around(run).load(done.live).data.item_numbers
    assert "brand-new" in catalogue
    assert gone not in catalogue


def test_an_erased_person_leaves_with_the_refresh_and_the_tombstone_with_the_last_version(
    run: Path, store: Store, shop_data: Dataset
) -> None:
    registry, known, later = Registry.around(run), older(shop_data).n_events, older(shop_data, 0.8).n_events
    live = registry.load(registry.live() or "")
    person = str(live.data.user_ids[0])
    seed(store, live.data)
    store.append_events(events_of(shop_data, np.arange(known, later)))
    store.erase_user(person)
    done = refresh(run, store, shop.run(), Wishes(keep=1))
    assert done.outcome == "promoted"
    assert person not in registry.load(done.live).data.user_numbers
    assert done.tombstones is None  # the version before still holds the person
    assert store.erased([person]) == [True]
    others = [event for event in events_of(shop_data, np.arange(later, shop_data.n_events)) if event.user_id != person]
    store.append_events(others)
    again = refresh(run, store, shop.run(), Wishes(keep=1))
    assert again.outcome == "promoted"
    assert len(again.pruned) == 1
    assert again.tombstones == 1
    assert store.erased([person]) == [False]


def test_an_erasure_alone_is_reason_enough(run: Path, store: Store) -> None:
    registry = Registry.around(run)
    live = registry.load(registry.live() or "")
    seed(store, live.data)
    person = str(live.data.user_ids[3])
    store.erase_user(person)
    done = refresh(run, store, shop.run())
    assert (done.outcome, done.verdict) == ("promoted", None)
    assert "erased" in done.reason
    assert person not in registry.load(done.live).data.user_numbers
    assert refresh(run, store, shop.run()).outcome == "skipped"


def test_a_killed_refresh_goes_on_with_the_same_data(
    run: Path, fed: Store, monkeypatch: pytest.MonkeyPatch, shop_data: Dataset
) -> None:
    def killed(*_: object) -> Verdict:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(refreshing, "judge", killed)
        refresh(run, fed, shop.run())
    fed.append_events([Event("later", "u-later", str(shop_data.item_ids[0]), timestamp=4e9)])
    job = shop.run()
    done = refresh(run, fed, job)
    assert done.events == shop_data.n_events  # as it was when the first one began
    card = Registry.around(run).card(done.live)
    assert card["resumed"]["fits"] > 0


@pytest.mark.parametrize("why", ["fresh", "erased", "old", "other version", "damaged"])
def test_a_snapshot_that_does_not_serve_is_taken_anew(
    run: Path, fed: Store, shop_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    base = Registry.around(run).load(Registry.around(run).live() or "").data
    folder = tmp_path / "snapshot"
    first = snapshots.take(folder, fed, "a", base)
    fed.append_events([Event("later", "u-later", str(shop_data.item_ids[0]), timestamp=4e9)])
    assert snapshots.take(folder, fed, "a", base).data.fingerprint == first.data.fingerprint
    if why == "erased":
        fed.erase_user(str(base.user_ids[0]))
    elif why == "old":
        monkeypatch.setattr(snapshots, "OLDEST", 0.0)
    elif why == "damaged":
        (folder / "events.parquet").write_bytes(b"x")
    elif why == "fresh":
        (folder / "snapshot.json").unlink()
    again = snapshots.take(folder, fed, "b" if why == "other version" else "a", base)
    assert "u-later" in again.data.user_numbers


def test_columns_of_events_come_back_that_the_artefact_does_not_keep(run: Path, fed: Store, tmp_path: Path) -> None:
    base = Registry.around(run).load(Registry.around(run).live() or "").data
    fed.append_events(
        [Event("x", "u-x", str(base.item_ids[0]), event="buy", value=3.0, timestamp=4e9, context={"device": "phone"})]
    )
    assert "event" not in base.events.column_names
    data = snapshots.take(tmp_path / "s", fed, "a", base).data
    newest = data.events.slice(data.n_events - 1).to_pylist()[0]
    assert (newest["event"], newest["value"], newest["device"]) == ("buy", 3.0, "phone")


def test_new_events_are_those_that_the_live_version_has_not_seen(shop_data: Dataset) -> None:
    live = older(shop_data)
    assert new_events(shop_data, live).tolist() == (np.arange(shop_data.n_events) >= live.n_events).tolist()
    assert not new_events(shop_data, shop_data).any()
    pairs = set(zip(live.event_users.tolist(), live.event_items.tolist(), strict=True))
    unseen = [
        pair not in pairs for pair in zip(shop_data.event_users.tolist(), shop_data.event_items.tolist(), strict=True)
    ]
    assert new_events(shop_data, shop.without_order(live)).tolist() == unseen  # without a clock: by user and item


def test_other_numbers_change_nothing(shop_data: Dataset) -> None:
    live = older(shop_data)
    rng = np.random.default_rng(1)
    items, users = rng.permutation(live.n_items), rng.permutation(live.n_users)
    mixed = replace(
        live,
        events=shop.of_events(
            np.argsort(users)[live.event_users].tolist(), np.argsort(items)[live.event_items].tolist(), live
        ).events.set_column(3, "timestamp", live.events["timestamp"]),
        items=live.items.take(items.tolist()),
        users=live.users.take(users.tolist()),
    )
    assert (new_events(shop_data, mixed) == new_events(shop_data, live)).all()


def test_little_is_held_back_of_much_and_much_of_little(shop_data: Dataset) -> None:
    n = shop_data.n_events
    new = np.arange(n) >= n // 2
    cut = hold_back(shop_data, new)
    assert cut is not None
    assert cut.past.n_events == n - int(np.ceil(n / 10))
    few = np.arange(n) >= n - 70
    cut = hold_back(shop_data, few)
    assert cut is not None
    assert cut.past.n_events == n - 70  # half of them, mostly repeats, would not be enough
    assert hold_back(shop_data, np.arange(n) >= n - 5) is None


@pytest.mark.parametrize(
    ("difference", "error", "accepted"), [(0.0, 0.0, True), (-0.01, 0.01, True), (-0.011, 0.01, False)]
)
def test_the_rule(difference: float, error: float, accepted: bool) -> None:
    verdict = Verdict(50, "all", "ndcg@10", 0.2, 0.2 - difference, difference, error, -1.0, 1.0)
    assert verdict.accepted is accepted
    assert verdict.facts["accepted"] is accepted


def test_a_pipeline_against_itself_under_other_numbers_is_a_draw(run: Path, fed: Store, tmp_path: Path) -> None:
    live = Registry.around(run).load(Registry.around(run).live() or "")
    data = snapshots.take(tmp_path / "s", fed, "a", live.data).data
    cut = hold_back(data, new_events(data, live.data))
    assert cut is not None
    verdict = judge(live, live, data, cut.holdout, shop.run())
    assert (verdict.difference, verdict.error, verdict.accepted) == (0.0, 0.0, True)
    slate = lists(live, data, cut.holdout)
    seen = [set(row.tolist()) for row in cut.holdout.queries.history.ragged]
    assert all(not seen[row] & set(slate.items[row].tolist()) for row in range(len(slate)))


@pytest.mark.parametrize(("unknown", "items"), [(2, "known to both"), (70, "all")])
def test_items_that_the_live_version_has_never_met_are_no_misses(
    shop_data: Dataset, run: Path, tmp_path: Path, unknown: int, items: str
) -> None:
    """The live version is the candidate itself over a smaller catalogue."""
    candidate = load(train(older(shop_data, 0.9), tmp_path / "whole"))
    cut = hold_back(shop_data, np.arange(shop_data.n_events) >= 0.7 * shop_data.n_events)
    assert cut is not None
    gone = np.argsort(-shop_data.item_counts)[:unknown]
    small = shop_data.with_events(~np.isin(shop_data.event_items, gone))
    renamed = small.items.set_column(
        0, "item_id", [[f"old{i}" if i in gone else name for i, name in enumerate(shop_data.item_ids)]]
    )
    live = load(train(older(replace(small, items=renamed), 0.9), tmp_path / "part"))
    verdict = judge(candidate, live, shop_data, cut.holdout, shop.run())
    assert verdict.items == items
    asked = cut.holdout.truth.keep(~np.isin(cut.holdout.truth.values, gone))
    assert verdict.queries == (len(cut.holdout) if items == "all" else int((asked.lengths > 0).sum()))
    assert (verdict.difference > 0.05) == (items == "all")


def test_nothing_live_and_people_are_refused(tmp_path: Path, run: Path, fed: Store, pipeline: object) -> None:
    empty = Registry(tmp_path / "empty.registry")
    empty.publish(run)
    with pytest.raises(InputError, match="nothing is live"):
        refresh(empty.folder, fed, shop.run())
    save(pipeline, tmp_path / "people", {"target": "users"})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="recommend items"):
        refresh(tmp_path / "people", fed, shop.run())


def test_a_failed_refresh_lets_go_of_the_lock(run: Path, fed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> Verdict:
        raise InputError("no")

    with monkeypatch.context() as patched, pytest.raises(InputError, match="no"):
        patched.setattr(refreshing, "judge", failing)
        refresh(run, fed, shop.run())
    thread = threading.Thread(target=refresh, args=(run, fed, shop.run()))
    thread.start()
    thread.join(60)
    assert len(Registry.around(run).versions()) == 2
