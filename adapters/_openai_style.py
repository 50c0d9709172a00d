"""The dialect that OpenAI, Groq, vLLM, TGI, OVMS and OPEA speak: building requests. Pure.

What differs between them is data: a `Dialect` each. `_openai_answers` reads what comes back.
A function that takes a `Setup` becomes an operation; its docstring is for the users of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any, cast

from adapters._build import checked_headers, json_request
from adapters._dialect import Dialect
from adapters._flows import Ask, Flow
from adapters._messages import Request, Usage
from adapters._openai_answers import parse_embeddings
from adapters._results import Embeddings
from adapters._setup import Setup
from resilience._rules import fail
from resilience.settings import reject_unknown

__all__ = [
    "Messages",
    "as_messages",
    "build_chat",
    "build_chat_stream",
    "build_completions",
    "build_embeddings",
    "build_models",
    "build_moderations",
    "embed_flow",
    "joined_embeddings",
    "refuse_stream",
]

Messages = str | Sequence[Mapping[str, Any]]


def build_chat(setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Ask a model for the next message.

    Args:
        model: The name of the model.
        messages: A list of messages, or a text that is the user's only one.
        options: Those of every call; every other one goes to the API as it is.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream()")
    return _chat(setup.provider.dialect, model, messages, options)


def build_chat_stream(setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Ask a model for the next message, piece by piece; as `chat`, but for the result.

    What fails before the first event is retried; later it is a `StreamInterruptedError`.
    Unless the caller sends `stream_options`, the usage is asked for where the API wants that.
    """
    dialect, options = setup.provider.dialect, {**options, "stream": True}
    if dialect.stream_options:
        options = {"stream_options": dict(dialect.stream_options), **options}
    return _chat(dialect, model, messages, options)


def build_completions(setup: Setup, /, model: str, prompt: Any, **options: Any) -> Request:
    """Continue a prompt, or each of a list of prompts; `.texts` holds a text for each."""
    refuse_stream(options, "request(..., stream=True)")
    fields = {"model": model, "prompt": prompt}
    return json_request("completions", setup.provider.dialect.completions_path, fields, options)


def embed_flow(setup: Setup, /, model: str, inputs: Any, **options: Any) -> Flow[Embeddings]:
    """Turn a text, or each of a list of texts or token lists, into a vector.

    A list is sent as it is; above the most that the API takes it is sent in parts, in order,
    and the result is one: vectors and usage of all parts, `raw` a list, `attempts` their sum.
    """
    answers: list[Embeddings] = []
    for request, count in build_embeddings(setup.provider.dialect, model, inputs, options):
        answer = yield Ask(request, partial(parse_embeddings, count=count))
        answers.append(answer)
    return joined_embeddings(answers)


def joined_embeddings(parts: Sequence[Embeddings]) -> Embeddings:
    """Make one result of the parts of a call."""
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        vectors=[vector for part in parts for vector in part.vectors],
        usage=reduce(add, (part.usage for part in parts), Usage()),
        raw=[part.raw for part in parts],
        attempts=sum(part.attempts for part in parts),
    )


def build_moderations(setup: Setup, /, inputs: Any, **options: Any) -> Request:
    """Judge a text, or each of a list; `model` is an option."""
    path = setup.provider.dialect.moderations_path
    return json_request("moderations", path, {"input": inputs}, options)


def build_models(setup: Setup, /, **options: Any) -> Request:
    """List the models."""
    reject_unknown(options, ("extra_headers",), "models")
    headers = checked_headers(options.get("extra_headers"))
    path = setup.provider.dialect.models_path
    return Request(operation="models", method="GET", path=path, headers=headers)


def as_messages(messages: Messages) -> Sequence[Mapping[str, Any]]:
    """Return messages; a plain text is one message of the user."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    given: Any = messages
    if not isinstance(given, list | tuple):
        fail("messages", "must be a text, or a list of messages", type(given))
    return messages


def refuse_stream(options: Mapping[str, Any], instead: str) -> None:
    """Refuse `stream=True` where a whole answer is read."""
    if options.get("stream"):
        fail("stream", f"cannot be set here: use {instead}", options["stream"])


def _chat(dialect: Dialect, model: str, messages: Messages, options: Mapping[str, Any]) -> Request:
    fields = {"model": model, "messages": as_messages(messages)}
    return json_request("chat", dialect.chat_path, fields, options)


def build_embeddings(
    dialect: Dialect, model: str | None, inputs: Any, options: Mapping[str, Any]
) -> Iterator[tuple[Request, int]]:
    """Build the requests, each with the number of its inputs; one, unless more than fit."""
    fixed = {} if model is None else {"model": model}
    if dialect.embedding_format:
        fixed["encoding_format"] = dialect.embedding_format
    for part in _parts(inputs, dialect.max_inputs):
        size = len(part) if _is_list_of_inputs(part) else 1
        fields = {**fixed, "input": part}
        yield json_request("embed", dialect.embeddings_path, fields, options), size


def _parts(inputs: Any, size: int) -> Iterator[Any]:
    """Cut a list of inputs; anything else, and a list of tokens, is one input."""
    if not _is_list_of_inputs(inputs) or len(inputs) <= size:
        yield inputs
        return
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size]


def _is_list_of_inputs(inputs: Any) -> bool:
    if not isinstance(inputs, list | tuple):
        return False
    first: Any = next(iter(cast("Sequence[Any]", inputs)), None)
    return not isinstance(first, int)
