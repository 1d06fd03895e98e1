"""The curl commands of a page: read, sent to an app, and held to its OpenAPI document."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema

CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Curl:
    """One command and the answer that stands below it."""

    method: str
    path: str
    body: Any
    answer: str


def curls(page: str) -> list[Curl]:
    """All of a page, in turn."""
    return [curl for block in CONSOLE.findall(page) for curl in _of_block(block)]


def _of_block(block: str) -> Iterator[Curl]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.strip().split("\n")
        n = next(n for n in range(1, len(lines) + 1) if _closed("\n".join(lines[:n])))
        words = shlex.split("\n".join(lines[:n]))
        if words[0] == "curl":
            yield _curl(words[1:], "\n".join(lines[n:]))


def _closed(text: str) -> bool:
    return text.count("'") % 2 == 0


def _curl(words: list[str], answer: str) -> Curl:
    options = {"-X": "", "--json": ""}
    for name in options:
        if name in words:
            at = words.index(name)
            options[name] = words[at + 1]
            del words[at : at + 2]
    (url,) = [word for word in words if not word.startswith("-")]
    body = json.loads(options["--json"]) if options["--json"] else None
    method = options["-X"] or ("GET" if body is None else "POST")
    return Curl(method, url.removeprefix("localhost:8000"), body, answer)


class Document:
    """An OpenAPI document that requests and answers are held to."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def route(self, curl: Curl) -> str:
        """The address of the document that a command asks; the one with the most fixed letters of those that fit."""
        path = curl.path.partition("?")[0]
        routes = [route for route, methods in self.document["paths"].items() if curl.method.lower() in methods]
        fitting = [route for route in routes if re.fullmatch(_pattern(route), path)]
        return max(fitting, key=lambda route: len(PARAMETER.sub("", route)))

    def takes(self, curl: Curl) -> bool:
        """Whether the body is as the document says."""
        told = self._operation(curl).get("requestBody")
        if told is None:
            return curl.body is None
        return self._validator(told["content"]["application/json"]["schema"]).is_valid(curl.body)

    def check_answer(self, curl: Curl, status: int, answer: Any) -> None:
        """Raises where an answer is not as the document says."""
        told = self._operation(curl)["responses"][str(status)]
        self._validator(told["content"]["application/json"]["schema"]).validate(answer)

    def _operation(self, curl: Curl) -> dict[str, Any]:
        return self.document["paths"][self.route(curl)][curl.method.lower()]

    def _validator(self, schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator({**schema, "components": self.document["components"]})


def _pattern(route: str) -> str:
    return "".join(
        "[^/]+" if PARAMETER.fullmatch(part) else re.escape(part) for part in re.split(r"(\{[^}]*\})", route)
    )
