"""The catalogue: items come, change and go while the service runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from accord.core.columns import ITEM
from accord.core.errors import InputError
from accord.serve.access import needs
from accord.serve.checking import good_item, good_items
from accord.serve.errors import unknown
from accord.serve.limits import LISTED
from accord.serve.routes.parts import TheAnswers, TheLive
from accord.serve.schemas import Deleted, Fields, Id, ItemsIn, ItemsOut, ListOut

router = APIRouter(tags=["items"])
ItemId = Annotated[Id, Path(description="The item's id; it may hold slashes.")]


@router.post("/v1/items", **needs("write"))
def post_items(body: ItemsIn, live: TheLive) -> ItemsOut:
    """Keep a batch of items. They are encoded in the background, and recommended within about a second."""
    items, rejected = good_items(body.items, live.schema)
    if items:
        live.store.put_items(items)
        live.refresh()
    return ItemsOut(accepted=len(body.items) - len(rejected), rejected=rejected)


@router.put("/v1/items/{item_id:path}", **needs("write", 404))
def put_item(
    item_id: ItemId,
    fields: Annotated[Fields, Body(examples=[{"title": "Heat", "genres": ["Crime"], "year": 1995}])],
    live: TheLive,
) -> ItemsOut:
    """Keep one item with all its fields, in place of those it had. A deleted one comes back."""
    if fields.get(ITEM, item_id) != item_id:
        raise InputError("another id than that of the address", place=ITEM, remedy="Leave it out of the body.")
    live.store.put_items([(item_id, good_item(item_id, fields, live.schema))])
    live.refresh()
    return ItemsOut(accepted=1, rejected=[])


@router.delete("/v1/items/{item_id:path}", **needs("write", 404))
def delete_item(item_id: ItemId, live: TheLive) -> Deleted:
    """Delete an item: it is in no answer any more, on no worker, from this answer on."""
    if live.store.items([item_id])[0] is None:
        if live.answering is None or live.current()[0].number(item_id) is None:
            raise unknown("item", "item_id")
        live.store.put_items([(item_id, {})])  # only the model knows it: the store must, to remember that it is gone
    live.store.delete_items([item_id])
    return Deleted(deleted=True)


@router.get("/v1/items/{item_id:path}/similar", response_model_exclude_unset=True, **needs("read", 404))
def similar_items(item_id: ItemId, answers: TheAnswers, n: Annotated[int, Query(ge=1, le=LISTED)] = 20) -> ListOut:
    """What somebody would be shown who had done nothing but choose this item."""
    return answers.similar(item_id, n)
