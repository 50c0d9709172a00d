"""Gemini: building requests. Pure.

A function that takes a `Setup` becomes an operation; its docstring is for the users of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from adapters._build import checked_headers, json_request, relative_path
from adapters._fields import path_part
from adapters._flows import Ask, Flow
from adapters._gemini_answers import parse_embeddings, parse_models
from adapters._gemini_messages import as_contents, as_conversation
from adapters._messages import Request
from adapters._openai_style import Messages, joined_embeddings, refuse_stream
from adapters._pages import checked_cursor, joined_models
from adapters._results import Embeddings, Models
from adapters._setup import Setup
from resilience._rules import fail
from resilience.settings import reject_unknown

__all__ = [
    "build_chat",
    "build_chat_stream",
    "build_count",
    "build_generate",
    "build_generate_stream",
    "embed_flow",
    "models_flow",
]

_MOST_INPUTS = 100  # in one request for embeddings; says the server, and no reference
_PAGE = 1000  # models, the most that the API gives at once
_WHOLE, _STREAMED = "generateContent", "streamGenerateContent?alt=sse"
_ITS_OWN = ("extra_body", "extra_headers")


def build_generate(setup: Setup, /, model: str, contents: Any, **options: Any) -> Request:
    """Ask a model to go on from these contents.

    Args:
        model: The name of the model.
        contents: A text, a list of texts and parts that is one message, or messages as the API
            has them: `{"role": "user", "parts": [...]}`.
        options: Those of every call; every other one goes to the API as it is, such as
            `generationConfig`, `systemInstruction`, `tools`.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream_generate()")
    fields = {"contents": as_contents(contents)}
    return _post("generate", model, _path(setup, model, _WHOLE), fields, options)


def build_generate_stream(setup: Setup, /, model: str, contents: Any, **options: Any) -> Request:
    """Ask a model to go on from these contents, piece by piece; as `generate` otherwise.

    What fails before the first event is retried; later it is a `StreamInterruptedError`.
    """
    fields = {"contents": as_contents(contents)}
    return _post("generate", model, _path(setup, model, _STREAMED), fields, options)


def build_chat(setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Ask a model for the next message, in the words of other APIs.

    Args:
        model: The name of the model.
        messages: A text, or messages with `role` and `content`; those of the system become the
            system instruction.
        options: As those of `generate`.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream()")
    return _post("chat", model, _path(setup, model, _WHOLE), as_conversation(messages), options)


def build_chat_stream(setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Ask a model for the next message, piece by piece; as `chat` otherwise."""
    return _post("chat", model, _path(setup, model, _STREAMED), as_conversation(messages), options)


def build_count(setup: Setup, /, model: str, contents: Any, **options: Any) -> Request:
    """Count the tokens of what `generate` would send, options such as `tools` included."""
    fields: dict[str, Any] = {"contents": as_contents(contents)}
    more = {name: value for name, value in options.items() if name not in _ITS_OWN}
    if more:
        whole = {"model": _resource(model), **fields, **more}
        fields = {"generateContentRequest": whole}
        options = {name: value for name, value in options.items() if name in _ITS_OWN}
    return _post("count_tokens", model, _path(setup, model, "countTokens"), fields, options)


def embed_flow(setup: Setup, /, model: str, inputs: Any, **options: Any) -> Flow[Embeddings]:
    """Turn a text, or each of a list of texts, into a vector.

    A list is sent as it is; above 100 it is sent in parts, in order, and the result is one.
    Options such as `taskType` and `outputDimensionality` go along with each text.
    """
    items = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    own = {name: options.pop(name) for name in _ITS_OWN if name in options}
    answers: list[Embeddings] = []
    for part in _parts(items):
        requests = [
            {"model": _resource(model), "content": as_contents(item)[0], **options} for item in part
        ]
        fields = {"requests": requests}
        request = _post("embed", model, _path(setup, model, "batchEmbedContents"), fields, own)
        answer = yield Ask(request, partial(parse_embeddings, count=len(part), model=model))
        answers.append(answer)
    return joined_embeddings(answers)


def models_flow(setup: Setup, /, **options: Any) -> Flow[Models]:
    """List the models, however many pages they fill; their names are without `models/`."""
    reject_unknown(options, ("extra_headers",), "models")
    headers = checked_headers(options.get("extra_headers"))
    pages: list[Models] = []
    more: dict[str, str] = {}
    seen: set[str] = set()
    while True:
        path = relative_path(f"{_version(setup)}/models", {"pageSize": _PAGE, **more})
        request = Request(operation="models", method="GET", path=path, headers=headers)
        page: Models = yield Ask(request, parse_models)
        pages.append(page)
        token = page.raw.get("nextPageToken")
        if not token:
            return joined_models(pages)
        more = {"pageToken": checked_cursor(str(token), seen)}


def _post(
    operation: str, model: str, path: str, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> Request:
    return replace(json_request(operation, path, fields, options), model=model)


def _path(setup: Setup, model: str, method: str) -> str:
    return f"{_version(setup)}/{path_part('model', _resource(model), safe='/@')}:{method}"


def _version(setup: Setup) -> str:
    """Return the version in the path; `beta` is what the vendor's variable calls it."""
    version = str(setup.own["api_version"])
    return "v1beta" if version == "beta" else version


def _resource(model: str) -> str:
    given: Any = model
    if not isinstance(given, str) or not given:
        fail("model", "must be the name of a model", given)
    return model if "/" in model else f"models/{model}"


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a list; an empty one is sent, for the API to judge."""
    for start in range(0, len(items) or 1, _MOST_INPUTS):
        yield items[start : start + _MOST_INPUTS]
