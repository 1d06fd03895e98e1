"""A recommender as a service, by real requests: events, a new film, another version, reasons, erasure, the way back.

Starts ``accord serve`` on the model of ``make demo`` (trains one where there is none) as a process of its own with a
store of its own, and shows each request as a curl command with its answer. Ends with code 1 where the service does not
do what the headings say.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from showing import NotShownError, check, curl, free_port, heading, say, shell, show, until

from accord.client import ApiError, Client
from accord.core.run import Run
from accord.data.named import load as load_named
from accord.pipeline.artefact import load, save
from accord.pipeline.columns import all_vectors
from accord.pipeline.spec import preset
from accord.study.training import train_dataset

ACCORD = str(Path(sys.executable).with_name("accord"))
FAN, NEW = "trekker", "new-1"
SOON = 2.0
"""Seconds within which a new item must be in a list."""
PATIENCE = 120.0
"""Seconds that the server may take to start, or to change its version."""
TITLES = """
description = "Behaviour, and the words of titles, with room for newcomers."

[encoders.tfidf]
kind = "tfidf"

[sources.item_knn]
kind = "item_knn"
tau = 4.0

[sources.ease]
kind = "ease"
tau = 4.0
reg = 400.0
side = { tfidf = 2.0 }

[sources.content]
kind = "content"
column = "tfidf"

[sources.bridge]
kind = "bridge"
column = "tfidf"
neighbours = 20
near = 4.0

[[fusers]]
kind = "weighted"
normalise = "minmax"
"""


@dataclass(frozen=True)
class World:
    """What the demo is about."""

    out: Path
    dataset: Path
    trained: Path
    person: str
    like: str
    title: str

    @property
    def run(self) -> Path:
        """The folder that is served."""
        return self.out / "run"


@dataclass
class Service:
    """The running server, asked by commands that are shown."""

    url: str
    titles: dict[str, str]
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.url)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer to a request, which is shown as a curl command."""
        return curl(method, self.url + path, body)

    def recommend(self, user: str, n: int = 5, *, shown: bool = True) -> dict[str, Any]:
        """A list; ``shown``: with its command and its places."""
        if not shown:
            return dict(self.client.recommend(user, n=n))
        answer = self.ask("POST", "/v1/recommend", {"user_id": user, "n": n})
        check(not answer["skipped"], "a list of all sources", answer["skipped"])
        for place, one in enumerate(answer["items"], 1):
            say(f"  {place}. {self.called(one['item_id'])}")
        return answer

    def called(self, item: str) -> str:
        """The title of an item."""
        return f"{self.titles.get(item) or 'untitled'} ({item})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    world = chosen(arguments)
    shutil.rmtree(world.out, ignore_errors=True)
    titles = prepare(world)
    try:
        with serving(world) as url:
            tour(Service(url, titles), world)
        log = (world.out / "server.log").read_text(encoding="utf-8")
        check(FAN not in log and NEW not in log, "a log without ids", log)
    except (NotShownError, ApiError) as problem:
        say(f"\nNOT SHOWN: {problem}\nThe server's log: {world.out / 'server.log'}")
        return 1
    say("\nThe server has stopped. Its log names no user and no item.")
    return 0


def chosen(arguments: Sequence[str] | None) -> World:
    """The world of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo/serve"), help="written anew")
    parser.add_argument("--dataset", type=Path, default=Path("demo/dataset"))
    parser.add_argument("--trained", type=Path, default=Path("demo/pipeline"))
    parser.add_argument("--person", default="196", help="a user of the dataset")
    parser.add_argument("--like", default="Star Trek", help="words in titles that one user has chosen")
    parser.add_argument("--title", default="Star Trek: Insurrection", help="of the new item")
    return World(**vars(parser.parse_args(arguments)))


def prepare(world: World) -> dict[str, str]:
    """Make what is missing, and a copy of the trained pipeline to be served; the titles by item."""
    if not world.dataset.exists():
        load_named("ml-100k", Run()).save(world.dataset)
    if not world.trained.exists():
        say("There is no pipeline of make demo; training one by the preset fast ...")
        train_dataset(world.dataset, preset("fast"), Run(), world.trained)
    pipeline = load(world.trained)
    vectors = all_vectors(pipeline, Run())  # earlier versions did not save them
    save(replace(pipeline, data=replace(pipeline.data, vectors=vectors)), world.run, {"note": "the demo"})
    titles = pipeline.data.items["title"].to_pylist()
    return {str(item): str(title or "") for item, title in zip(pipeline.data.item_ids, titles, strict=True)}


def tour(service: Service, world: World) -> None:
    """All that is shown, in turn."""
    events_count_at_once(service, world.person)
    first, second = another_version(service, world)
    a_new_item_is_found(service, world)
    reasons(service)
    a_person_is_erased(service)
    heading("Back to the version before")
    service.ask("POST", "/v1/models/rollback")
    say(f"  answering after {until_answering(service, first):.1f} s: {first} again, in place of {second}")


def events_count_at_once(service: Service, person: str) -> None:
    """What somebody does changes the next list."""
    heading("An event counts on the next request")
    before = service.recommend(person)
    seen = [one["item_id"] for one in before["items"][:2]]
    events = [
        {"event_id": f"demo-{place}", "user_id": person, "item_id": item, "impression_id": before["impression_id"]}
        for place, item in enumerate(seen, 1)
    ]
    say(f"  {json.dumps(service.ask('POST', '/v1/events', {'events': events}))}")
    after = [one["item_id"] for one in service.recommend(person)["items"]]
    check(len(after) == len(before["items"]) and not set(seen) & set(after), "another list", after)
    again = service.ask("POST", "/v1/events", {"events": events})
    say(f"  {json.dumps(again)}")
    check(again["duplicates"] == len(events), "that events sent twice count once", again)


def another_version(service: Service, world: World) -> tuple[str, str]:
    """A second version is trained and published beside the running server, and promoted; both names."""
    heading("Another version goes live without a restart")
    config = world.out / "titles.toml"
    config.write_text(TITLES, encoding="utf-8")
    say("  The demo model was chosen for films with events and keeps newcomers down. This one gives titles more room.")
    first, fresh = service.client.models()["answering"], str(world.out / "titles")
    shell(ACCORD, "train", str(world.dataset), "--config", str(config), "--out", fresh, "--quiet")
    shell(ACCORD, "models", "publish", str(world.run), fresh, "--note", "titles")
    second = service.client.models()["versions"][-1]["version"]
    service.ask("POST", f"/v1/models/{second}/promote")
    say(f"  answering after {until_answering(service, second):.1f} s: {second}")
    return first, second


def a_new_item_is_found(service: Service, world: World) -> None:
    """An item with nothing but a title reaches somebody whose history it fits."""
    heading("A new item with only a title reaches a matching user")
    liked = [item for item, title in service.titles.items() if world.like in title][:5]
    events = [{"event_id": f"fan-{item}", "user_id": FAN, "item_id": item} for item in liked]
    say("  Watched: " + "; ".join(map(service.called, liked)))
    service.ask("POST", "/v1/events", {"events": events})
    service.recommend(FAN, 1, shown=False)
    service.titles[NEW] = world.title
    started = time.monotonic()
    service.ask("PUT", f"/v1/items/{NEW}", {"title": world.title})
    check(until(lambda: place_of(service, FAN) is not None, SOON), f"the new item within {SOON} s", FAN)
    say(f"  In the list after {time.monotonic() - started:.2f} s")
    service.recommend(FAN)
    places = [place_of(service, user) or "below 20" for user in (FAN, world.person)]
    say(f"  Its place for {FAN}: {places[0]}; for {world.person}: {places[1]}")


def reasons(service: Service) -> None:
    """Why, in two languages."""
    heading("Why, in English and Chinese")
    told: dict[str, str] = {}
    for language in ("en", "zh"):
        asked = {"user_id": FAN, "items": [NEW], "language": language}
        told[language] = service.ask("POST", "/v1/explain", asked)["items"][0]["reasons"]["text"]
        say(f"  {told[language]}")
    check(any("\u4e00" <= sign <= "\u9fff" for sign in told["zh"]), "Chinese", told["zh"])
    check("Because of" in told["en"], "a reason", told["en"])


def a_person_is_erased(service: Service) -> None:
    """Nothing of somebody is left, and the next list is that of a stranger."""
    heading("A person is erased")
    say(f"  {json.dumps(service.ask('DELETE', f'/v1/users/{FAN}'))}")
    erased, stranger = (service.recommend(user, 10, shown=False)["items"] for user in (FAN, "somebody new"))
    check(erased == stranger, "the list of a stranger", erased)
    say(f"  The list of {FAN} is now that of somebody unknown.")


def place_of(service: Service, user: str) -> int | None:
    """The place of the new item among the first twenty for somebody."""
    items = [one["item_id"] for one in service.recommend(user, 20, shown=False)["items"]]
    return items.index(NEW) + 1 if NEW in items else None


def until_answering(service: Service, version: str) -> float:
    """Wait until lists come from a version; the seconds that took."""
    started = time.monotonic()
    check(
        until(lambda: service.recommend("nobody", 1, shown=False)["model"] == version, PATIENCE),
        "another version",
        version,
    )
    return time.monotonic() - started


@contextmanager
def serving(world: World) -> Iterator[str]:
    """The address of a server of its own, which ends afterwards."""
    port = free_port()
    command = [ACCORD, "serve", str(world.run), "--port", str(port), "--store", str(world.out / "store.db")]
    command += ["--budget", "2"]  # for busy machines: nothing shall be left out here
    show(command)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (world.out / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        url = f"http://localhost:{port}"
        check(until(lambda: process.poll() is not None or is_ready(url), PATIENCE), "a server that is ready", url)
        check(process.poll() is None, "a server that runs", process.returncode)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def is_ready(url: str) -> bool:
    """Whether the server can make lists."""
    try:
        with Client(url, retries=0) as client:
            return client.ready()["status"] == "ready"
    except ApiError:
        return False


if __name__ == "__main__":
    sys.exit(main())
