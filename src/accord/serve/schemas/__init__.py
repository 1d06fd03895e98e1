"""What requests and answers look like; the OpenAPI document is made from these."""

from accord.serve.schemas.asked import ExplainIn, HistoryEvent, RecommendIn, Whom, Wishes
from accord.serve.schemas.common import Body, Context, Id, Language, Rejected, Seconds
from accord.serve.schemas.events import EventIn, EventsIn, EventsOut, FeedbackIn
from accord.serve.schemas.facts import Deleted, Erased, Fields, ItemsIn, ItemsOut, Kept
from accord.serve.schemas.lists import Because, ExplainOut, Listed, ListOut, Reasons, Without
from accord.serve.schemas.state import ModelsOut, ModelVersion, Ready

__all__ = [
    "Because",
    "Body",
    "Context",
    "Deleted",
    "Erased",
    "EventIn",
    "EventsIn",
    "EventsOut",
    "ExplainIn",
    "ExplainOut",
    "FeedbackIn",
    "Fields",
    "HistoryEvent",
    "Id",
    "ItemsIn",
    "ItemsOut",
    "Kept",
    "Language",
    "ListOut",
    "Listed",
    "ModelVersion",
    "ModelsOut",
    "Ready",
    "Reasons",
    "RecommendIn",
    "Rejected",
    "Seconds",
    "Whom",
    "Wishes",
    "Without",
]
