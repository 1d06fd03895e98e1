"""The addresses of the page. What it does goes through the functions of ``/v1``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from accord.core.errors import AccordError
from accord.data.kinds import MAX_ID
from accord.serve.access import needs
from accord.serve.errors import ApiError
from accord.serve.live import Live
from accord.serve.pages.access import MARK, PREFIX, forget_key, from_the_page, keep_key, may
from accord.serve.pages.asked import Form, TheForm, checked
from accord.serve.pages.card import facts_of, quality_of, sources_of
from accord.serve.pages.catalogue import find_items, find_users, shown
from accord.serve.pages.counters import counters
from accord.serve.pages.languages import TheTexts
from accord.serve.pages.listing import colours_of, moves_of, rows_of
from accord.serve.pages.rendering import page
from accord.serve.pages.static import read
from accord.serve.routes.events import post_events
from accord.serve.routes.models import card as card_of
from accord.serve.routes.parts import TheAnswers, TheLive
from accord.serve.schemas import EventIn, EventsIn
from accord.serve.settings import HISTORY

RECENT = 10
"""Events of a person that are shown."""
YEAR = 31_536_000
GOOD_FOR_A_YEAR = {"Cache-Control": f"public, max-age={YEAR}, immutable"}

shell = APIRouter(include_in_schema=False)
asks = APIRouter(prefix=PREFIX, include_in_schema=False, dependencies=[Depends(from_the_page)])
router = APIRouter()
"""Everything of this room."""


@shell.get("/")
async def front(request: Request, texts: TheTexts) -> Response:
    """The empty page; it asks for the rest, where no key is needed or there is one."""
    locked = request.app.state.keyed and MARK not in request.cookies
    return page("shell.html", texts, locked=locked)


@shell.get("/static/{name}")
async def static(name: str) -> Response:
    """A file of the page."""
    try:
        file = read(name)
    except KeyError:
        raise ApiError(404, "not_found", "there is no such file") from None
    return Response(file.content, media_type=file.kind, headers=GOOD_FOR_A_YEAR)


@asks.post("/key", **needs("read"))
def use_key(request: Request) -> Response:
    """Keep the key of this request, which opens something, in a cookie of the page."""
    answer = Response(headers={"HX-Refresh": "true"})
    keep_key(request, answer)
    return answer


@asks.post("/forget", **needs("read"))
def forget() -> Response:
    """Forget the key."""
    answer = Response(headers={"HX-Refresh": "true"})
    forget_key(answer)
    return answer


@asks.post("/main", **needs("read"))
def main(request: Request, texts: TheTexts, form: TheForm, answers: TheAnswers) -> Response:
    """The whole page but for its lists, with what was filled in already."""
    live = answers.live
    return page(
        "main.html",
        texts,
        form=form,
        placements=list(answers.placements),
        kinds=list(live.weights),
        keyed=request.app.state.keyed,
        may_write=may(request, "write"),
        may_search=may(request, "admin"),
    )


@asks.post("/list", **needs("read"))
def recommended(request: Request, texts: TheTexts, form: TheForm, answers: TheAnswers) -> Response:
    """What ``POST /v1/recommend`` says, after what was chosen just now."""
    real = form.real and may(request, "write")
    written = _written(form, answers.live) if real and form.add and form.user else None
    items = [*form.items, form.add][-HISTORY:] if form.add and written is None else form.items
    form = Form(**{**vars(form), "items": items})
    told = answers.recommend(form.wish(texts.lang), keep=bool(real and form.user))
    current, _ = answers.live.current()
    past = answers.live.history(form.user)[0] if form.user else []
    before = form.before if form.whose == form.user else ()
    recent = [event.item_id for event in past[-RECENT:]] if may(request, "admin") else []
    named = [*(one.item_id for one in told.items), *before, *form.items, *recent, *([form.add] if form.add else [])]
    items = shown(current, named)
    rows = rows_of(
        told.items, items, before, colours_of([source.name for source in sources_of(current.pipeline, texts.lang)])
    )
    moves = moves_of(rows, before, {*form.items, form.add})
    legend = list(dict.fromkeys((part.name, part.colour) for row in rows for part in row.parts if part.width))
    return page(
        "list.html",
        texts,
        form=form,
        told=told,
        rows=rows,
        legend=legend,
        moves=moves,
        gone=[items[item].title for item in moves.gone] if moves else [],
        items=items,
        past=len(past),
        recent=recent,
        written=written,
        unwritten=bool(real and form.add and not form.user),
    )


@asks.post("/why", **needs("read"))
def why(texts: TheTexts, form: TheForm, answers: TheAnswers) -> Response:
    """What ``POST /v1/explain`` says of one item of the list."""
    told = answers.explain(form.question(texts.lang)).items[0]
    current, _ = answers.live.current()
    without = told.reasons.without if told.reasons is not None else []
    items = shown(current, [one.item_id for one in without])
    return page("why.html", texts, without=without, items=items)


@asks.get("/items", **needs("read"))
def items(texts: TheTexts, answers: TheAnswers, find: Annotated[str, Query(max_length=MAX_ID)] = "") -> Response:
    """Items by words of their titles."""
    current, _ = answers.live.current()
    found = find_items(current, find.strip()) if find.strip() else []
    return page("found.html", texts, found=found, asked=bool(find.strip()))


@asks.get("/users", **needs("admin"))
def users(texts: TheTexts, answers: TheAnswers, user: Annotated[str, Query(max_length=MAX_ID)] = "") -> Response:
    """People by the start of their id: for admins, since no address of the API lists people."""
    current, _ = answers.live.current()
    return page("users.html", texts, users=find_users(current, user.strip()))


@asks.get("/counters", **needs("read"))
def count(texts: TheTexts, live: TheLive) -> Response:
    """What happens on the server."""
    return page("counters.html", texts, now=counters(live), model=live.answering)


@asks.get("/card", **needs("read"))
def model_card(request: Request, texts: TheTexts, live: TheLive) -> Response:
    """What ``GET /v1/models/{version}`` says of the version that answers, in short; to admins, as there."""
    current, _ = live.current()
    told = _card(live, current.model.name) if may(request, "admin") else None
    return page(
        "card.html",
        texts,
        version=current.model.name,
        facts=facts_of(told) if told else None,
        admin=may(request, "admin"),
        sources=sources_of(current.pipeline, texts.lang),
        quality=quality_of(told, current.pipeline) if told else None,
        fusion=type(current.pipeline.fuser).__name__.lower(),
    )


def _written(form: Form, live: Live) -> str:
    """Keep a choice as an event, as ``POST /v1/events`` does, and say which."""
    given = {"user_id": form.user, "item_id": form.add, "event": form.kind, "impression_id": form.impression or None}
    post_events(EventsIn(events=[checked(EventIn, given)]), live)
    return form.add


def _card(live: Live, version: str) -> dict[str, Any] | None:
    """The card of a version; None of the starting pipeline, which has none."""
    try:
        return card_of(version, live)
    except AccordError:
        return None


router.include_router(shell)
router.include_router(asks)
