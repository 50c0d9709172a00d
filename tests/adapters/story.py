"""One call to which much happens, and how traces tell it: the dump of the documentation.

`python -m tests.adapters.story` writes it to the page that shows it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import StatusCode

from adapters import openai
from resilience.testing import no_waiting
from tests.adapters.flavours import Together
from tests.adapters.recorder import Recorder, answer, recording
from tests.adapters.seen import Seen, attributes_of

__all__ = ["PAGE", "dump", "tell", "written"]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "see-what-happened.md"
_BEGIN, _END = "<!-- story -->", "<!-- end of the story -->"
_PATIENCE = 5.0  # seconds until a story that does not go on fails
# Values that are others each time.
_VARYING = ("resilience.queue.wait", "server.port", "url.full", "resilience.request_id")

# Told only while there is a connection to ask.
_NOT_ALWAYS = ("network.peer.address", "network.peer.port")


def tell(flavour: str, server: Recorder) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """Return the span of the call and those of its requests.

    It waits in the queue, its key is throttled, the next one fails and opens the circuit, the
    retry is the probe that closes it again.
    """
    seen = Seen()
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = seen.provider
    keys = {"production": "sk-one-0123456789", "backup": "sk-two-0123456789"}
    settings: dict[str, Any] = {"max_concurrent_requests": 1, "failure_threshold": 1}
    together = Together(
        *(flavour, openai),
        **settings,
        keys=keys,
        base_url=server.url,
        reset_timeout=0.5,
        jitter=0,
    )
    choice = {"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    body = {"id": "chatcmpl-1", "model": "gpt-4o-2024", "choices": [choice], "usage": usage}
    in_line = threading.Event()

    def wait_for_company() -> None:
        """Answer the first call when the second one stands in line."""
        while together.client.queue.size < 1:
            assert not in_line.wait(0.001)

    server.play(
        [wait_for_company, answer(body)],
        answer({"error": {"message": "Slow down."}}, status=429, headers={"Retry-After": "60"}),
        answer({"error": {"message": "Oops."}}, status=500),
        answer(body),
    )
    try:
        with no_waiting():
            together(*[lambda client: client.chat("gpt-4o", "Hi", temperature=0.5)] * 2)
    finally:
        trace._TRACER_PROVIDER = before
    (call,) = (span for span in seen.calls if any(event.name == "retry" for event in span.events))
    mine = [span for span in seen.requests if span.parent.span_id == call.context.span_id]
    return call, mine


def dump(call: ReadableSpan, requests: list[ReadableSpan]) -> str:
    """The spans as the page shows them."""
    lines = [f"{call.name}  (CLIENT, {_status(call)})", *_told("  ", attributes_of(call))]
    for event in call.events:
        lines += [f"  * {event.name}", *_told("      ", _inside(event))]
    for request in requests:
        lines += [f"  {request.name}  (CLIENT, {_status(request)})"]
        lines += _told("    ", attributes_of(request))
    return "\n".join(lines)


def _inside(event: Event) -> dict[str, Any]:
    return dict(event.attributes or {})


def _status(span: ReadableSpan) -> str:
    return "error" if span.status.status_code is StatusCode.ERROR else "no error"


def _told(indent: str, attributes: dict[str, Any]) -> Iterator[str]:
    for name, value in sorted(attributes.items()):
        if name in _NOT_ALWAYS:
            continue
        shown = "…" if name in _VARYING else list(value) if isinstance(value, tuple) else value
        yield f"{indent}{name}: {shown}"


def written(text: str) -> str:
    """The page with the dump in its place."""
    with recording() as server:
        story = dump(*tell("sync", server))
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n```text\n{story}\n```\n\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
