"""The vendor's own client is the judge: what the emulator answers parses into its types."""

from __future__ import annotations

import base64
import struct
from typing import Any

import openai
import pytest
from openai.types import Completion, CreateEmbeddingResponse, ModerationCreateResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens

from .conftest import SEED

USER = [{"role": "user", "content": "Say hello"}]
ANSWER = expected_answer("Say hello", seed=SEED)
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}
TOOLS: Any = [{"type": "function", "function": WEATHER}]


def chat(client: openai.OpenAI, **more: Any) -> Any:
    """Ask for a chat completion."""
    return client.chat.completions.create(**{"model": "gpt-4o-mini", "messages": USER, **more})


def text_of(chunks: list[Any], choice: int = 0) -> str:
    """Put the text of a streamed choice together."""
    choices = [c for chunk in chunks for c in chunk.choices if c.index == choice]
    return "".join(c.delta.content or "" for c in choices)


def test_chat(client: openai.OpenAI, server: Emulator) -> None:
    """An answer belongs to its prompt, and says what it cost."""
    answer = chat(client)

    assert isinstance(answer, ChatCompletion)
    assert ANSWER == server.expected_answer("Say hello") == answer.choices[0].message.content
    assert "stop" == answer.choices[0].finish_reason
    assert "gpt-4o-mini" == answer.model
    assert answer.usage.prompt_tokens == count_tokens("Say hello") + 4
    assert answer.usage.completion_tokens == count_tokens(ANSWER)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id.startswith("req_")


def test_several_choices(client: openai.OpenAI) -> None:
    """`n` gives so many different answers, each with its index, and counts them all."""
    answer = chat(client, n=3)

    assert [0, 1, 2] == [choice.index for choice in answer.choices]
    texts = [expected_answer("Say hello", seed=SEED, choice=number) for number in range(3)]
    assert texts == [choice.message.content for choice in answer.choices]
    assert sum(map(count_tokens, texts)) == answer.usage.completion_tokens


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_on_tokens_cuts_the_answer(client: openai.OpenAI, limit: str) -> None:
    """A small limit ends an answer with `length`; what came is a beginning of the whole."""
    answer = chat(client, **{limit: 5})

    assert "length" == answer.choices[0].finish_reason
    assert 5 == answer.usage.completion_tokens
    assert ANSWER.startswith(answer.choices[0].message.content)


def test_stop_sequences_end_the_answer(client: openai.OpenAI) -> None:
    """The answer ends before the first stop sequence."""
    answer = chat(client, stop=[" "])

    assert ANSWER.split()[0] == answer.choices[0].message.content
    assert "stop" == answer.choices[0].finish_reason


def test_log_probabilities(client: openai.OpenAI) -> None:
    """`logprobs` gives a number for each token."""
    answer = chat(client, logprobs=True)

    assert ANSWER == "".join(token.token for token in answer.choices[0].logprobs.content)


def test_long_prompts_are_cached(client: openai.OpenAI) -> None:
    """From 1024 tokens on a part of the input comes from the cache."""
    usage = chat(client, messages=[{"role": "user", "content": "word " * 1500}]).usage

    assert 1505 == usage.prompt_tokens
    assert 1408 == usage.prompt_tokens_details.cached_tokens


def test_a_stream_is_the_answer_in_pieces(client: openai.OpenAI) -> None:
    """The deltas together are the answer; without being asked, no chunk has usage."""
    chunks = list(chat(client, stream=True))

    assert ANSWER == text_of(chunks)
    assert "assistant" == chunks[0].choices[0].delta.role
    assert "stop" == chunks[-1].choices[0].finish_reason
    assert 1 == len({chunk.id for chunk in chunks})
    assert not any(chunk.usage for chunk in chunks)


def test_a_stream_with_usage(client: openai.OpenAI) -> None:
    """`include_usage` adds a chunk without choices at the end, with the usage of a plain answer."""
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))

    assert [] == chunks[-1].choices
    assert chat(client).usage == chunks[-1].usage
    assert not any(chunk.usage for chunk in chunks[:-1])


def test_a_stream_of_several_choices(client: openai.OpenAI) -> None:
    """The choices take turns, and each is whole."""
    chunks = list(chat(client, stream=True, n=2, logprobs=True))

    assert ANSWER == text_of(chunks, 0)
    assert expected_answer("Say hello", seed=SEED, choice=1) == text_of(chunks, 1)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [("required", "tool_calls"), ({"type": "function", "function": {"name": "weather"}}, "stop")],
)
def test_a_required_tool_is_called(client: openai.OpenAI, choice: Any, reason: str) -> None:
    """The arguments fit the tool's schema; a tool that was named ends with `stop`."""
    answer = chat(client, tools=TOOLS, tool_choice=choice).choices[0]

    (called,) = answer.message.tool_calls
    assert "weather" == called.function.name
    assert f'{{"city":"{ANSWER}","days":1}}' == called.function.arguments
    assert answer.message.content is None
    assert reason == answer.finish_reason


def test_a_streamed_tool_call_is_whole(client: openai.OpenAI) -> None:
    """Name and id come first, the arguments in pieces."""
    chunks = list(chat(client, tools=TOOLS, tool_choice="required", stream=True))

    calls = [c.choices[0].delta.tool_calls[0] for c in chunks if c.choices[0].delta.tool_calls]
    assert "weather" == calls[0].function.name
    assert calls[0].id.startswith("call_")
    arguments = "".join(call.function.arguments for call in calls)
    assert f'{{"city":"{ANSWER}","days":1}}' == arguments
    assert "tool_calls" == chunks[-1].choices[0].finish_reason


def test_tools_that_nobody_requires_are_not_called(client: openai.OpenAI) -> None:
    """With a free choice the model speaks."""
    assert ANSWER == chat(client, tools=TOOLS).choices[0].message.content


def test_structured_answers(client: openai.OpenAI) -> None:
    """A JSON format gives JSON that fits."""
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER["parameters"]}}
    messages = [{"role": "user", "content": "in json"}]

    text = expected_answer("in json", seed=SEED)
    answer = chat(client, messages=messages, response_format=form)
    assert f'{{"city":"{text}","days":1}}' == answer.choices[0].message.content
    answer = chat(client, messages=messages, response_format={"type": "json_object"})
    assert f'{{"answer":"{text}"}}' == answer.choices[0].message.content


def test_a_reasoning_model_thinks_first(client: openai.OpenAI) -> None:
    """Thoughts cost tokens, and a small limit leaves nothing but thoughts."""
    answer = chat(client, model="gpt-5-mini")
    cut = chat(client, model="gpt-5-mini", max_completion_tokens=10)

    assert 32 == answer.usage.completion_tokens_details.reasoning_tokens
    assert 32 + count_tokens(ANSWER) == answer.usage.completion_tokens
    assert (10, "", "length") == (
        cut.usage.completion_tokens,
        cut.choices[0].message.content,
        cut.choices[0].finish_reason,
    )
    quick = chat(client, model="gpt-5-mini", reasoning_effort="minimal")
    assert 0 == quick.usage.completion_tokens_details.reasoning_tokens


def embed(client: openai.OpenAI, given: Any, **more: Any) -> CreateEmbeddingResponse:
    """Ask for short vectors."""
    return client.embeddings.create(
        **{"model": "text-embedding-3-small", "input": given, "dimensions": 16, **more}
    )


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
        ([1, 2, 3], ["1 2 3"]),
        ([[1, 2], [3]], ["1 2", "3"]),
    ],
)
def test_embeddings_of_every_form_of_input(
    client: openai.OpenAI, given: Any, texts: list[str]
) -> None:
    """Texts and tokens, one or several: a vector for each, in order."""
    answer = embed(client, given)

    assert list(range(len(texts))) == [item.index for item in answer.data]
    expected = [list(expected_vector(text, 16, seed=SEED)) for text in texts]
    assert expected == [item.embedding for item in answer.data]


def test_embeddings_in_base64_are_the_same_numbers(client: openai.OpenAI) -> None:
    """The SDK asks for base64 by default; plain numbers are equal to the last bit."""
    encoded = embed(client, "one", encoding_format="base64").data[0].embedding
    assert isinstance(encoded, str)

    numbers = list(struct.unpack("<16f", base64.b64decode(encoded)))

    assert embed(client, "one").data[0].embedding == numbers
    assert embed(client, "one", encoding_format="float").data[0].embedding == numbers


@pytest.mark.parametrize(
    ("model", "length"),
    [
        ("text-embedding-3-small", 1536),
        ("text-embedding-3-large", 3072),
        ("text-embedding-ada-002", 1536),
    ],
)
def test_each_model_has_its_dimensions(client: openai.OpenAI, model: str, length: int) -> None:
    """Unless told otherwise a vector is as long as the model makes it."""
    answer = client.embeddings.create(model=model, input=["one two", "three"])

    assert length == len(answer.data[0].embedding)
    assert 3 == answer.usage.prompt_tokens == answer.usage.total_tokens


def test_2048_inputs_fit_in_one_request(client: openai.OpenAI) -> None:
    """The largest batch is answered, in order."""
    answer = embed(client, [f"text {number}" for number in range(2048)], dimensions=2)

    assert list(range(2048)) == [item.index for item in answer.data]
    assert list(expected_vector("text 2047", 2, seed=SEED)) == answer.data[-1].embedding


def complete(client: openai.OpenAI, **more: Any) -> Any:
    """Ask for a completion."""
    return client.completions.create(
        **{"model": "gpt-3.5-turbo-instruct", "prompt": "Say hello", **more}
    )


def test_completions(client: openai.OpenAI) -> None:
    """Several prompts, several answers to each: choice i·n+k is answer k to prompt i."""
    answer = complete(client, prompt=["Say hello", "two"], n=2, max_tokens=100)

    assert isinstance(answer, Completion)
    expected = [
        expected_answer(prompt, seed=SEED, choice=k)
        for prompt in ("Say hello", "two")
        for k in (0, 1)
    ]
    assert expected == [choice.text for choice in answer.choices]
    assert [0, 1, 2, 3] == [choice.index for choice in answer.choices]
    assert 3 == answer.usage.prompt_tokens


def test_completions_are_short_unless_told_otherwise(client: openai.OpenAI) -> None:
    """Sixteen tokens are the default."""
    answer = complete(client, prompt="a", echo=True, logprobs=1)

    assert answer.usage.completion_tokens <= 16
    assert answer.choices[0].text.startswith("a")
    assert "".join(answer.choices[0].logprobs.tokens) == answer.choices[0].text[1:]


def test_completions_as_a_stream(client: openai.OpenAI) -> None:
    """Pieces of all choices in turns, and usage at the end."""
    chunks = list(
        complete(
            client,
            prompt=["Say hello", "b"],
            max_tokens=50,
            stream=True,
            echo=True,
            stream_options={"include_usage": True},
        )
    )

    pieces = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(piece.text for piece in pieces if piece.index == 0)
    assert f"Say hello{ANSWER}" == text
    assert ["stop", "stop"] == [piece.finish_reason for piece in pieces if piece.finish_reason]
    assert 3 == chunks[-1].usage.prompt_tokens


def test_moderations(client: openai.OpenAI) -> None:
    """A result for each text, flagged for the categories whose words it has."""
    answer = client.moderations.create(input=["a nice day", "I hate violence"])

    assert isinstance(answer, ModerationCreateResponse)
    nice, rude = answer.results
    assert (False, True) == (nice.flagged, rude.flagged)
    assert rude.categories.hate
    assert rude.categories.violence
    assert not rude.categories.self_harm
    assert rude.category_scores.hate >= 0.5 > rude.category_scores.sexual


def test_moderation_of_one_text(client: openai.OpenAI) -> None:
    """A plain text gets one result."""
    assert [True] == [r.flagged for r in client.moderations.create(input="violence").results]


def test_moderation_of_parts(client: openai.OpenAI) -> None:
    """Text and picture together get one result."""
    parts: Any = [
        {"type": "text", "text": "kill"},
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}},
    ]

    answer = client.moderations.create(input=parts, model="omni-moderation-latest")

    assert [True] == [result.categories.violence for result in answer.results]


def test_models(client: openai.OpenAI) -> None:
    """All models are listed, and each can be looked up."""
    names = [model.id for model in client.models.list()]

    assert {"gpt-4o-mini", "text-embedding-3-small", "omni-moderation-latest"} <= set(names)
    assert "gpt-4o-mini" == client.models.retrieve("gpt-4o-mini").id


def respond(client: openai.OpenAI, **more: Any) -> Any:
    """Ask for a response."""
    return client.responses.create(**{"model": "gpt-4o-mini", "input": "Say hello", **more})


def test_responses(client: openai.OpenAI) -> None:
    """The text, and usage under its own names."""
    answer = respond(client)

    assert isinstance(answer, Response)
    assert (ANSWER, "completed") == (answer.output_text, answer.status)
    assert (2, count_tokens(ANSWER)) == (answer.usage.input_tokens, answer.usage.output_tokens)


def test_responses_count_instructions_and_items(client: openai.OpenAI) -> None:
    """Instructions and items are one prompt."""
    items = [{"role": "user", "content": [{"type": "input_text", "text": "two"}]}]

    answer = respond(client, instructions="one", input=items)

    assert expected_answer("one\ntwo", seed=SEED) == answer.output_text


def test_responses_that_are_cut_are_incomplete(client: openai.OpenAI) -> None:
    """A limit that thoughts use up is said to be the reason."""
    answer = respond(client, model="gpt-5", max_output_tokens=16)

    assert ("incomplete", "max_output_tokens") == (answer.status, answer.incomplete_details.reason)
    assert ["reasoning", "message"] == [item.type for item in answer.output]
    assert 16 == answer.usage.output_tokens_details.reasoning_tokens


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "weather"}])
def test_responses_call_tools(client: openai.OpenAI, choice: Any) -> None:
    """A required function is an item of its own."""
    answer = respond(client, tools=[{"type": "function", **WEATHER}], tool_choice=choice)

    assert ["weather"] == [item.name for item in answer.output]
    assert f'{{"city":"{ANSWER}","days":1}}' == answer.output[0].arguments


def test_responses_as_a_stream(client: openai.OpenAI) -> None:
    """Events are numbered, begin with `created` and end with the whole response."""
    events = list(respond(client, stream=True))

    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert ("response.created", "response.completed") == (events[0].type, events[-1].type)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert ANSWER == "".join(deltas) == events[-1].response.output_text
    assert events[-1].response.usage.total_tokens > 0
    assert events[0].response.usage is None


def test_responses_stream_tools(client: openai.OpenAI) -> None:
    """Arguments come in pieces, and at the end as a whole."""
    tools = [{"type": "function", **WEATHER}]

    events = list(respond(client, tools=tools, tool_choice="required", stream=True))

    pieces = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    assert "".join(pieces) == events[-1].response.output[0].arguments


def test_responses_stream_thoughts(client: openai.OpenAI) -> None:
    """A reasoning model's stream has an item for its thoughts, and may end incomplete."""
    events = list(respond(client, model="o3", max_output_tokens=20, stream=True))

    assert "response.incomplete" == events[-1].type
    added = [event.item.type for event in events if event.type == "response.output_item.added"]
    assert ["reasoning", "message"] == added


def test_input_tokens_are_counted(client: openai.OpenAI) -> None:
    """Counting agrees with what the answer says it has used."""
    counted = client.responses.input_tokens.count(model="gpt-4o-mini", input="Say hello")

    assert respond(client).usage.input_tokens == counted.input_tokens


def test_json_body_parses_into_structured_types(client: openai.OpenAI) -> None:
    """Helpers that read streams in the SDK find what they need."""
    with client.chat.completions.stream(model="gpt-4o-mini", messages=USER) as stream:  # type: ignore[arg-type]
        stream.until_done()

        assert ANSWER == stream.get_final_completion().choices[0].message.content
    with client.responses.stream(model="gpt-4o-mini", input="Say hello") as events:
        assert ANSWER == events.get_final_response().output_text
