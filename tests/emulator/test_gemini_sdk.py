"""Google's own client is the judge: what the emulator answers parses into its types."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, digest, expected_thoughts

from .conftest import SEED

MODEL = "gemini-2.5-flash"
QUICK = "gemini-2.0-flash"
ANSWER = expected_answer("Say hello", seed=SEED)
THOUGHTS = expected_thoughts("Say hello", seed=SEED)
SCHEMA = {
    "type": "OBJECT",
    "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}},
    "required": ["city", "days"],
}
TOOLS: Any = [{"function_declarations": [{"name": "weather", "parameters": SCHEMA}]}]


@pytest.fixture(params=["v1", "v1beta"])
def gemini(server: Emulator, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    """The vendor's client, which does not repeat anything, for both versions of the API."""
    options = types.HttpOptions(base_url=server.base_url("gemini"), api_version=request.param)
    with genai.Client(api_key=server.keys("gemini")["production"], http_options=options) as found:
        yield found


def generate(
    gemini: genai.Client, model: str = QUICK, prompt: Any = "Say hello", **more: Any
) -> Any:
    """Ask for an answer."""
    return gemini.models.generate_content(model=model, contents=prompt, config=more or None)


def stream(gemini: genai.Client, model: str = QUICK, **more: Any) -> list[Any]:
    """Ask for an answer in pieces."""
    return list(
        gemini.models.generate_content_stream(
            model=model, contents="Say hello", config=more or None
        )
    )


def test_an_answer(gemini: genai.Client, server: Emulator) -> None:
    """An answer belongs to its prompt, says what it cost, and has the request's id."""
    answer = generate(gemini)

    assert isinstance(answer, types.GenerateContentResponse)
    assert (ANSWER, QUICK) == (answer.text, answer.model_version)
    assert types.FinishReason.STOP == answer.candidates[0].finish_reason
    usage = answer.usage_metadata
    expected = (count_tokens("Say hello") + 1, count_tokens(ANSWER))
    assert expected == (usage.prompt_token_count, usage.candidates_token_count)
    assert sum(expected) == usage.total_token_count
    assert usage.thoughts_token_count is None
    assert server.log()[0].request_id == answer.response_id
    assert (QUICK, "generate") == (server.log()[0].model, server.log()[0].operation)


def test_thoughts_cost_tokens_of_their_own(gemini: genai.Client) -> None:
    """What a model thinks is not counted among what it says, and shown when asked for."""
    hidden = generate(gemini, MODEL)
    shown = generate(gemini, MODEL, thinking_config={"include_thoughts": True})
    none = generate(gemini, MODEL, thinking_config={"thinking_budget": 0})

    usage = hidden.usage_metadata
    assert (32, count_tokens(ANSWER)) == (usage.thoughts_token_count, usage.candidates_token_count)
    assert usage.prompt_token_count + 32 + count_tokens(ANSWER) == usage.total_token_count
    parts = shown.candidates[0].content.parts
    assert [(THOUGHTS, True), (ANSWER, None)] == [(part.text, part.thought) for part in parts]
    assert ANSWER == hidden.text == shown.text == none.text
    assert none.usage_metadata.thoughts_token_count is None


def test_a_limit_on_tokens_cuts_the_answer(gemini: genai.Client) -> None:
    """A small limit ends an answer with `MAX_TOKENS`; thoughts alone may use it up."""
    cut = generate(gemini, max_output_tokens=5)
    thought = generate(gemini, MODEL, max_output_tokens=10)

    assert "MAX_TOKENS" == cut.candidates[0].finish_reason
    assert ANSWER.startswith(cut.text)
    assert (None, 10) == (thought.text, thought.usage_metadata.thoughts_token_count)


def test_several_candidates(gemini: genai.Client) -> None:
    """`candidateCount` gives so many different answers; in a stream they take turns."""
    answer = generate(gemini, candidate_count=2)
    chunks = stream(gemini, candidate_count=2)

    texts = [expected_answer("Say hello", seed=SEED, choice=number) for number in range(2)]
    assert texts == [each.content.parts[0].text for each in answer.candidates]
    pieces: dict[int, str] = {}
    for chunk in chunks:
        for each in chunk.candidates:
            pieces[each.index or 0] = pieces.get(each.index or 0, "") + each.content.parts[0].text
    assert texts == [pieces[0], pieces[1]]


def test_the_system_instruction_counts(gemini: genai.Client) -> None:
    """Instruction and messages are one prompt."""
    expected = expected_answer("Be kind\nSay hello", seed=SEED)

    assert expected == generate(gemini, system_instruction="Be kind").text


def test_stop_sequences_end_the_answer(gemini: genai.Client) -> None:
    """The answer ends before the first stop sequence."""
    assert ANSWER.split()[0] == generate(gemini, stop_sequences=[" "]).text


def test_a_required_function_is_called(gemini: genai.Client) -> None:
    """The arguments fit the function's schema; with a free choice the model speaks."""
    choice = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}}

    answer = generate(gemini, tools=TOOLS, tool_config=choice)

    (called,) = answer.function_calls
    assert ("weather", {"city": ANSWER, "days": 1}) == (called.name, called.args)
    assert ANSWER == generate(gemini, tools=TOOLS).text


def test_structured_answers(gemini: genai.Client) -> None:
    """A schema in either dialect gives JSON that fits."""
    form = {"response_mime_type": "application/json"}

    answer = generate(gemini, response_schema=SCHEMA, **form)

    assert {"city": ANSWER, "days": 1} == json.loads(answer.text)
    assert {"answer": ANSWER} == json.loads(generate(gemini, **form).text)
    assert [ANSWER] == json.loads(
        generate(
            gemini,
            response_json_schema={"type": "array", "items": {"type": "string"}},
            **form,
        ).text
    )


def test_a_picture_is_drawn(gemini: genai.Client) -> None:
    """A model that draws answers with text and a picture that belongs to the prompt."""
    answer = generate(gemini, "gemini-2.5-flash-image")
    text = generate(gemini, "gemini-2.5-flash-image", response_modalities=["TEXT"])

    said, drawn = answer.candidates[0].content.parts
    assert (ANSWER, "image/png") == (said.text, drawn.inline_data.mime_type)
    data = drawn.inline_data.data
    start = data.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", data[start - 8 : start - 4])
    colour = zlib.decompress(data[start : start + length])
    assert digest("picture", SEED, "Say hello", size=6) == colour[1:].hex()
    assert count_tokens(ANSWER) + 1290 == answer.usage_metadata.candidates_token_count
    assert [ANSWER] == [part.text for part in text.candidates[0].content.parts]


def test_a_picture_in_the_prompt_costs_tokens(gemini: genai.Client) -> None:
    """Pictures are counted beside the text."""
    shown = [types.Part.from_bytes(data=b"x", mime_type="image/png"), "Say hello"]

    answer = generate(gemini, prompt=shown)

    plain = generate(gemini).usage_metadata.prompt_token_count
    assert (ANSWER, plain + 258) == (answer.text, answer.usage_metadata.prompt_token_count)


def test_long_prompts_are_cached(gemini: genai.Client) -> None:
    """From 1024 tokens on a part of the input comes from the cache, and stays in the input."""
    usage = generate(gemini, prompt="word " * 1500).usage_metadata

    assert (1502, 1408) == (usage.prompt_token_count, usage.cached_content_token_count)


def test_a_stream_is_the_answer_in_pieces(gemini: genai.Client) -> None:
    """All chunks together are the answer; each has the usage, the last one its reason."""
    chunks = stream(gemini, MODEL, thinking_config={"include_thoughts": True})

    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert THOUGHTS == "".join(part.text for part in parts if part.thought)
    assert ANSWER == "".join(part.text for part in parts if not part.thought)
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert ([None] * (len(chunks) - 1), "STOP") == (reasons[:-1], reasons[-1])
    plain = generate(gemini, MODEL, thinking_config={"include_thoughts": True})
    assert plain.usage_metadata == chunks[-1].usage_metadata
    assert 1 == len({chunk.response_id for chunk in chunks})


def test_a_stream_of_nothing_still_ends(gemini: genai.Client) -> None:
    """Where a limit leaves no word, one chunk says why."""
    (chunk,) = stream(gemini, MODEL, max_output_tokens=10)

    assert "MAX_TOKENS" == chunk.candidates[0].finish_reason


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
def test_embeddings(gemini: genai.Client, model: str) -> None:
    """A vector for each text; the client makes one vector of the whole list with model 2."""
    config = {"output_dimensionality": 16, "task_type": "CLUSTERING"}

    given: Any = ["one", "two"]
    answer = gemini.models.embed_content(model=model, contents=given, config=config)

    texts = ["one", "two"] if model.endswith("001") else ["one\ntwo"]
    expected = [list(expected_vector(text, 16, seed=SEED)) for text in texts]
    assert answer.embeddings is not None
    assert expected == [each.values for each in answer.embeddings]


def test_tokens_are_counted_as_they_are_charged(gemini: genai.Client) -> None:
    """The count of a request is the input of its answer."""
    counted = gemini.models.count_tokens(model=QUICK, contents="Say hello")

    assert generate(gemini).usage_metadata.prompt_token_count == counted.total_tokens


def test_models_come_page_by_page(gemini: genai.Client) -> None:
    """The client finds all models, whatever the size of a page."""
    names = [model.name for model in gemini.models.list()]

    assert f"models/{MODEL}" in names
    assert names == [model.name for model in gemini.models.list(config={"page_size": 2})]
    model = gemini.models.get(model=MODEL)
    assert (1_048_576, 65_536) == (model.input_token_limit, model.output_token_limit)
    assert model.supported_actions is not None
    assert "generateContent" in model.supported_actions


@pytest.mark.parametrize(
    ("spec", "code", "status"),
    [
        ("400", 400, "INVALID_ARGUMENT"),
        ("400:code=FAILED_PRECONDITION", 400, "FAILED_PRECONDITION"),
        ("400:code=API_KEY_INVALID", 400, "INVALID_ARGUMENT"),
        ("401", 401, "UNAUTHENTICATED"),
        ("403", 403, "PERMISSION_DENIED"),
        ("404", 404, "NOT_FOUND"),
        ("429", 429, "RESOURCE_EXHAUSTED"),
        ("quota", 429, "RESOURCE_EXHAUSTED"),
        ("499", 499, "CANCELLED"),
        ("500", 500, "INTERNAL"),
        ("503", 503, "UNAVAILABLE"),
        ("504", 504, "DEADLINE_EXCEEDED"),
        ("529", 529, "INTERNAL"),
    ],
)
def test_the_sdk_raises_its_own_errors(
    server: Emulator, gemini: genai.Client, spec: str, code: int, status: str
) -> None:
    """HTTP status and status of google.rpc are those of the real API."""
    server.script([spec])

    with pytest.raises(errors.APIError) as caught:
        generate(gemini)

    assert (code, status) == (caught.value.code, caught.value.status)
    kind = errors.ServerError if code >= 500 else errors.ClientError
    assert isinstance(caught.value, kind)


def details_of(gemini: genai.Client) -> dict[str, Any]:
    """Fail, and give the details of the error by the last word of their type."""
    with pytest.raises(errors.APIError) as caught:
        generate(gemini)
    found: Any = caught.value.details
    return {each["@type"].rpartition(".")[2]: each for each in found["error"].get("details", ())}


@pytest.mark.parametrize(
    ("spec", "period", "wait"),
    [
        ("429", "PerMinute", None),
        ("429:retry_after=2", "PerMinute", "2s"),
        ("429:retry_after=38.24", "PerMinute", "38.24s"),
        ("quota:retry_after=35625", "PerDay", "35625s"),
        ("limit:requests=0,window=1000", "PerMinute", "s"),
    ],
)
def test_the_time_to_wait_stands_in_the_body(
    server: Emulator, gemini: genai.Client, spec: str, period: str, wait: str | None
) -> None:
    """A `RetryInfo` says how long, a `QuotaFailure` which quota; there is no header."""
    server.script([spec])

    details = details_of(gemini)

    assert period in details["QuotaFailure"]["violations"][0]["quotaId"]
    assert (wait is not None) == ("RetryInfo" in details)
    if wait is not None:
        assert details["RetryInfo"]["retryDelay"].endswith(wait)


def test_a_503_may_say_how_long_as_well(server: Emulator, gemini: genai.Client) -> None:
    """`RetryInfo` is there whatever the status, and names no quota."""
    server.script(["503:retry_after=3"])

    assert ["RetryInfo"] == list(details_of(gemini))


def test_a_code_is_the_reason_of_an_error(server: Emulator, gemini: genai.Client) -> None:
    """What is no status stands in an `ErrorInfo`."""
    server.script(["400:code=API_KEY_EXPIRED"])

    assert "API_KEY_EXPIRED" == details_of(gemini)["ErrorInfo"]["reason"]


def test_an_error_inside_a_stream(server: Emulator, gemini: genai.Client) -> None:
    """The client raises it with the code that it names."""
    server.script(["stream_error:after=2,status=503"])

    with pytest.raises(errors.ServerError) as caught:
        stream(gemini)

    assert (503, "UNAVAILABLE") == (caught.value.code, caught.value.status)


def test_a_prompt_may_be_blocked(server: Emulator, gemini: genai.Client) -> None:
    """Status 200 without a candidate and with a reason, or with an error for a body."""
    server.script(["error_in_200:code=SAFETY"])

    answer = generate(gemini)

    assert (None, "SAFETY") == (answer.candidates, answer.prompt_feedback.block_reason)
