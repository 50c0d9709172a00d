"""Chat completions, whole and as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from adapters.emulator.answers import count_tokens, prompt_text
from adapters.emulator.checks import (
    Check,
    array,
    boolean,
    check_body,
    either,
    integer,
    mapping,
    number,
    refuse,
    string,
)
from adapters.emulator.openai_style.chat_checks import TOOL
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.openai_style.choices import Choice, Wish, chosen_tool, make_choice
from adapters.emulator.protocol import Answer, Call, server_sent_event, to_json
from adapters.emulator.self_hosted.server import Server, check_length, finish_reason, usage

__all__ = ["CHAT", "answer_chat", "chat_events", "chat_wish", "check_chat", "wants_usage"]

# What the template of a chat adds to each message.
_FRAMING = 4

CHAT: Mapping[str, Check] = {
    "model": string(),
    "messages": array(mapping(required=("role",)), low=1),
    "frequency_penalty": number(-2, 2),
    "logprobs": boolean,
    "max_completion_tokens": integer(1),
    "max_tokens": integer(1),
    "n": integer(1, 128),
    "presence_penalty": number(-2, 2),
    "response_format": mapping(),
    "seed": integer(),
    "stop": either("a string or an array of strings", str=string(), list=array(string())),
    "stream": boolean,
    "stream_options": mapping(),
    "temperature": number(0, 2),
    "tool_choice": either("a string or an object", str=string(), dict=mapping()),
    "tools": array(TOOL, low=1),
    "top_logprobs": integer(0),
    "top_p": number(0, 1),
}


def check_chat(body: Mapping[str, Any], required: Sequence[str] = ("messages",)) -> None:
    """Check a request for a chat; what is not known is passed over."""
    check_body(body, CHAT, required, open_ended=True)
    if body.get("stream_options") is not None and body.get("stream") is not True:
        refuse("Stream options can only be defined when `stream=True`.", "stream_options")


def answer_chat(server: Server, call: Call, required: Sequence[str] = ("messages",)) -> Answer:
    """Answer a chat as this server does."""
    body = call.data
    check_chat(body, required)
    model = server.model(call)
    prompt = prompt_text(body["messages"])
    prompt_tokens = count_tokens(prompt) + _FRAMING * len(body["messages"])
    check_length(model, prompt_tokens, "messages")
    wish = chat_wish(body)
    count = (body.get("n") or 1) if server.most_choices else 1
    choices = [make_choice(call, model, prompt, wish, index) for index in range(count)]
    counts = usage(prompt_tokens, sum(choice.cost for choice in choices))
    if call.stream:
        head = server.head(call, "chat.completion.chunk", model.id)
        events = chat_events(server, head, choices, counts, body)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    head = server.head(call, "chat.completion", model.id)
    written = [_written(server, index, choice) for index, choice in enumerate(choices)]
    return Answer.of_json({**head, "choices": written, "usage": counts, **server.whole})


def chat_wish(body: Mapping[str, Any]) -> Wish:
    """Read what a request asks of the answer."""
    choice = body.get("tool_choice")
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    name = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    form = body.get("response_format") or {}
    return Wish(
        budget=body.get("max_completion_tokens") or body.get("max_tokens"),
        tool=chosen_tool(choice, functions, name),
        format={"type": form.get("type"), **(form.get("json_schema") or {})},
        stop=body.get("stop"),
    )


def _written(server: Server, index: int, choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, **server.message}
    if choice.tool is not None:
        function = {"name": choice.tool, "arguments": choice.text}
        message["content"] = None
        message["tool_calls"] = [{"id": choice.tool_id, "type": "function", "function": function}]
    reason = finish_reason(choice)
    return {"index": index, "message": message, **server.choice, "finish_reason": reason}


def chat_events(
    server: Server,
    head: Mapping[str, Any],
    choices: Sequence[Choice],
    counts: Mapping[str, Any],
    body: Mapping[str, Any],
) -> Iterator[bytes]:
    """Give all events: beginnings, tokens, reasons, usage if it was asked for, end marker."""
    for index, delta, reason in _deltas(server, choices):
        piece = {"index": index, "delta": delta, **server.choice, "finish_reason": reason}
        yield server_sent_event(to_json({**head, "choices": [piece]}))
    if wants_usage(body):
        yield server_sent_event(to_json({**head, "choices": [], "usage": counts}))
    yield DONE


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Say whether a stream should report its usage."""
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _deltas(
    server: Server, choices: Sequence[Choice]
) -> Iterator[tuple[int, dict[str, Any], str | None]]:
    for index in range(len(choices)):
        yield index, dict(server.first), None
    for place, row in enumerate(zip_longest(*(choice.tokens for choice in choices))):
        for index, token in enumerate(row):
            if token is not None:
                piece = _piece(choices[index], token, first=not place)
                yield index, {**server.every, **piece}, None
    for index, choice in enumerate(choices):
        yield index, {**server.every, "content": ""}, finish_reason(choice)


def _piece(choice: Choice, token: str, *, first: bool) -> dict[str, Any]:
    if choice.tool is None:
        return {"content": token}
    function = {"name": choice.tool, "arguments": token} if first else {"arguments": token}
    call: dict[str, Any] = {"index": 0, "type": "function", "function": function}
    if first:
        call["id"] = choice.tool_id
    return {"tool_calls": [call]}
