"""The Responses API of OpenAI's dialect: building requests, reading answers and streams. Pure.

Functions that take a `Setup` become operations, and their docstrings are for the users of those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adapters._build import json_request
from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._json import count_or_0, is_object, word_or_none
from adapters._messages import Headers, Reply, Request, StreamEvent, ToolCall, Usage, sent_as
from adapters._openai_style import refuse_stream
from adapters._results import Answer, TokenCount
from adapters._setup import Setup
from adapters._streams import EventReader, LastEvents, ServerSentEvent, ServerSentEvents
from adapters.errors import InvalidResponseError

__all__ = [
    "build_input_tokens",
    "build_responses",
    "build_responses_stream",
    "parse_input_tokens",
    "parse_response",
    "read_responses_stream",
]

# Words for why a response is not complete, for what chat calls by these names.
_FINISH_REASONS = {"max_output_tokens": "length"}
_TOOL_CALLS = ("function_call", "custom_tool_call")
_REASONING = ("summary_text", "reasoning_text")
_END_MARKER = "[DONE]"  # some servers send it after the last event; it says nothing more


def build_responses(setup: Setup, /, model: str, inputs: Any, **options: Any) -> Request:
    """Ask a model for a response.

    Args:
        model: The name of the model.
        inputs: A text, or a list of input items: messages, results of tools, and so on.
        options: Those of every call; every other one goes to the API as it is.
    """
    refuse_stream(options, "stream_responses()")
    return _responses(setup, model, inputs, options)


def build_responses_stream(setup: Setup, /, model: str, inputs: Any, **options: Any) -> Request:
    """Ask a model for a response, piece by piece; as `responses`, but for the result.

    Each event has the name that the API gives it in `.event`, and all that it says in `.raw`; some
    add to the text, the reasoning or a tool call.
    """
    return _responses(setup, model, inputs, {**options, "stream": True})


def build_input_tokens(setup: Setup, /, model: str, inputs: Any, **options: Any) -> Request:
    """Count the tokens that `responses` would be asked with; nothing is generated."""
    path = f"{setup.provider.dialect.responses_path}/input_tokens"
    return json_request("count_tokens", path, {"model": model, "input": inputs}, options)


def parse_response(payload: Any, reply: Reply) -> Answer:
    """Read a response; that of one which has failed is an error and does not come here."""
    output = payload["output"]
    if payload.get("status") == "failed":
        msg = "the response has failed, and does not say why"
        raise InvalidResponseError(msg, body=payload, retryable=True)
    text = "".join(str(part["text"]) for part in _parts(output, "message", ("output_text",)))
    refusals = [str(part["refusal"]) for part in _parts(output, "message", ("refusal",))]
    return Answer(
        text=text,
        texts=(text,),
        reasoning="".join(_thoughts(output)),
        usage=_usage(payload.get("usage")),
        finish_reason=_finish_reason(payload),
        finish_reasons=(_finish_reason(payload),),
        tool_calls=tuple(_tool_call(item, index) for index, item in _calls(output)),
        refusal="".join(refusals) or None,
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def parse_input_tokens(payload: Any, reply: Reply) -> TokenCount:
    """Read how many tokens there are."""
    return TokenCount(input_tokens=int(payload["input_tokens"]), raw=payload, **sent_as(reply))


def read_responses_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of one stream; None where the answer is none."""
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        return None
    places: dict[str, int] = {}
    return EventReader(ServerSentEvents(), lambda part: _events(part, errors, forms, places))


def _responses(setup: Setup, model: str, inputs: Any, options: Mapping[str, Any]) -> Request:
    fields = {"model": model, "input": inputs}
    return json_request("responses", setup.provider.dialect.responses_path, fields, options)


def _events(
    part: ServerSentEvent, errors: ErrorTable, forms: tuple[str, ...], places: dict[str, int]
) -> Sequence[StreamEvent]:
    if part.data == _END_MARKER:
        return ()
    try:
        payload = json.loads(part.data)
        name = str(payload.get("type") or part.event)
        failure = _failure(name, payload)
        if failure is not None:
            raise error_inside(errors, failure, forms)
        if name in _LAST:
            return LastEvents([_ended(name, payload)])
        fields = _READERS.get(name, _nothing_more)(_placed(payload, places))
        return [StreamEvent(event=name, raw=payload, **fields)]
    except WRONG_FORM as error:
        msg = f"an event of the stream is not what the API promises ({type(error).__name__})"
        raise InvalidResponseError(msg, retryable=True) from None


def _placed(payload: Any, places: dict[str, int]) -> Any:
    """Number the items in the order of their coming where a server does not (llama.cpp's)."""
    item = payload.get("item_id") or (payload.get("item") or {}).get("id")
    if not item or "output_index" in payload:
        return payload
    return {**payload, "output_index": places.setdefault(str(item), len(places))}


def _failure(name: str, payload: Any) -> Any:
    """Return what an event says that went wrong, or None."""
    if name == "error" or payload.get("error"):
        return payload
    return payload["response"] if name == "response.failed" else None


def _ended(name: str, payload: Any) -> StreamEvent:
    """Read the last event, which has the whole response."""
    response = payload["response"]
    return StreamEvent(
        event=name,
        finish_reason=_finish_reason(response),
        usage=_usage(response.get("usage")) or None,
        model=word_or_none(response.get("model")),
        raw=payload,
    )


_LAST = frozenset({"response.completed", "response.incomplete", "response.cancelled"})


def _begun(payload: Any) -> dict[str, Any]:
    return {"model": word_or_none(payload["response"].get("model"))}


def _text_delta(payload: Any) -> dict[str, Any]:
    return {"text": str(payload["delta"])}


def _reasoning_delta(payload: Any) -> dict[str, Any]:
    return {"reasoning": str(payload["delta"])}


def _item_added(payload: Any) -> dict[str, Any]:
    item = payload["item"]
    if item["type"] not in _TOOL_CALLS:
        return {}
    return {"tool_calls": (_tool_call({**item, "arguments": ""}, payload["output_index"]),)}


def _arguments_delta(payload: Any) -> dict[str, Any]:
    part = ToolCall("", "", str(payload["delta"]), int(payload["output_index"]))
    return {"tool_calls": (part,)}


def _nothing_more(_: Any) -> dict[str, Any]:
    return {}


# What events of these names add to a stream.
_READERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "response.created": _begun,
    "response.custom_tool_call_input.delta": _arguments_delta,
    "response.function_call_arguments.delta": _arguments_delta,
    "response.output_item.added": _item_added,
    "response.output_text.delta": _text_delta,
    "response.reasoning_summary_text.delta": _reasoning_delta,
    "response.reasoning_text.delta": _reasoning_delta,
}


def _parts(output: Any, kind: str, names: tuple[str, ...]) -> Iterator[Any]:
    """Give the parts of these names in the items of one kind."""
    for item in output:
        if item["type"] == kind:
            for part in (*(item.get("summary") or ()), *(item.get("content") or ())):
                if part["type"] in names:
                    yield part


def _thoughts(output: Any) -> Iterator[str]:
    return (str(part["text"]) for part in _parts(output, "reasoning", _REASONING))


def _calls(output: Any) -> Iterator[tuple[int, Any]]:
    return ((index, item) for index, item in enumerate(output) if item["type"] in _TOOL_CALLS)


def _tool_call(item: Any, index: int) -> ToolCall:
    # A custom tool takes text where a function takes JSON; both are what the model wrote.
    arguments = item.get("input") if item["type"] == "custom_tool_call" else item["arguments"]
    return ToolCall(
        id=word_or_none(item.get("call_id")) or "",
        name=str(item["name"]),
        arguments=str(arguments or ""),
        index=int(index),
    )


def _finish_reason(response: Any) -> str | None:
    """Say why it ended in the words of chat, else its status: one in the background goes on."""
    status = word_or_none(response.get("status"))
    if status == "incomplete":
        details = response.get("incomplete_details")
        reason = word_or_none(details.get("reason")) if is_object(details) else None
        return _FINISH_REASONS.get(reason, reason) if reason else status
    if status != "completed":
        return status
    return "tool_calls" if any(_calls(response["output"])) else "stop"


def _usage(usage: Any) -> Usage:
    if not is_object(usage):
        return Usage()
    counts = count_or_0(usage.get("input_tokens")), count_or_0(usage.get("output_tokens"))
    before: Any = usage.get("input_tokens_details") or {}
    after: Any = usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=counts[0],
        output_tokens=counts[1],
        total_tokens=count_or_0(usage.get("total_tokens")) or sum(counts),
        cached_tokens=count_or_0(before.get("cached_tokens")),
        cache_write_tokens=count_or_0(before.get("cache_write_tokens")),
        reasoning_tokens=count_or_0(after.get("reasoning_tokens")),
    )
