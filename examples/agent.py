"""An agent that calls tools until it knows the answer, and changes the provider when one fails.

    python examples/agent.py "What time is it in Tokyo?"

Both speak the same dialect, tools included, so the loop knows nothing of them. The second one is
asked where the first is down, over its limit or has no key; an open circuit is passed over at once.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from adapters import fallback, groq, openai
from adapters.results import ToolCall
from resilience import deadline

OFFSETS = {"tokyo": 9, "london": 0, "new york": -5}
TOOL = {
    "type": "function",
    "function": {
        "name": "time_in",
        "description": "The time in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def time_in(city: str = "") -> str:
    return f"{datetime.now(UTC) + timedelta(hours=OFFSETS.get(city.lower(), 0)):%H:%M}"


def result_of(call: ToolCall) -> dict[str, Any]:
    try:
        text = time_in(**json.loads(call.arguments))
    except (TypeError, ValueError) as error:  # models make mistakes, and can mend them
        text = f"error: {error}"
    return {"role": "tool", "tool_call_id": call.id, "content": text}


async def answer(question: str) -> str:
    async with openai.AsyncClient(max_retries=1) as first, groq.AsyncClient() as second:
        ask = partial(first.chat, "gpt-4o-mini"), partial(second.chat, "llama-3.3-70b-versatile")
        think = fallback(ask)
        messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
        with deadline(60):
            for _ in range(8):
                said = await think(messages, tools=[TOOL])
                if not said.tool_calls:
                    return said.text
                messages.append(said.raw["choices"][0]["message"])
                messages += [result_of(call) for call in said.tool_calls]
    return "No answer after eight steps."


if __name__ == "__main__":
    print(asyncio.run(answer(" ".join(sys.argv[1:]) or "What time is it in Tokyo?")))
