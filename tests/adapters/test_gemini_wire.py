"""The wire: what this adapter sends is what Google's own client sends."""

from __future__ import annotations

from typing import Any

import pytest
from google import genai as sdk
from google.genai import types

from adapters import gemini
from adapters.emulator.gemini_style.names import camel_case
from tests.adapters.flavours import Make
from tests.adapters.oracle import Question, sent_by
from tests.adapters.recorder import Recorder, answer, event_stream

KEY = "AIza-test-1234"
MODEL = "gemini-2.5-flash"
CANDIDATE = {
    "candidates": [
        {
            "index": 0,
            "content": {"role": "model", "parts": [{"text": "Hello"}]},
            "finishReason": "STOP",
        }
    ]
}
CONTENTS = [
    {"role": "user", "parts": [{"text": "Grüße! 😀"}]},
    {"role": "model", "parts": [{"text": "Yes?"}]},
    {"role": "user", "parts": [{"text": "Hi"}]},
]
CONFIG = {"temperature": 0.2, "maxOutputTokens": 5, "stopSequences": ["\n"]}
SCHEMA = {"type": "OBJECT", "properties": {"at": {"type": "STRING"}}}
TOOLS = [{"functionDeclarations": [{"name": "look", "parameters": SCHEMA}]}]
MODELS = {"models": [{"name": f"models/{MODEL}", "supportedGenerationMethods": []}]}
TWO = {"embeddings": [{"values": [0.5]}, {"values": [0.25]}]}

QUESTIONS = {
    "generate": Question(
        answer(CANDIDATE),
        lambda theirs: theirs.models.generate_content(model=MODEL, contents="Grüße!"),
        lambda ours: ours.generate(MODEL, "Grüße!"),
    ),
    "generate from parts": Question(
        answer(CANDIDATE),
        lambda theirs: theirs.models.generate_content(model=MODEL, contents=["a", "b"]),
        lambda ours: ours.generate(MODEL, ["a", "b"]),
    ),
    "generate with everything": Question(
        answer(CANDIDATE),
        lambda theirs: theirs.models.generate_content(
            model=f"models/{MODEL}",
            contents=CONTENTS,
            config={
                "temperature": 0.2,
                "max_output_tokens": 5,
                "stop_sequences": ["\n"],
                "system_instruction": {"parts": [{"text": "Be brief."}]},
                "tools": [{"function_declarations": TOOLS[0]["functionDeclarations"]}],
                "http_options": {"headers": {"X-Extra": "yes"}},
            },
        ),
        lambda ours: ours.generate(
            f"models/{MODEL}",
            CONTENTS,
            generationConfig=CONFIG,
            systemInstruction={"parts": [{"text": "Be brief."}]},
            tools=TOOLS,
            extra_headers={"X-Extra": "yes"},
        ),
    ),
    "chat": Question(
        answer(CANDIDATE),
        lambda theirs: theirs.models.generate_content(
            model=MODEL,
            contents=CONTENTS,
            config={"system_instruction": {"parts": [{"text": "Be brief."}]}},
        ),
        lambda ours: ours.chat(
            MODEL,
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Grüße! 😀"},
                {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            ],
        ),
    ),
    "a picture": Question(
        answer(CANDIDATE),
        lambda theirs: theirs.models.generate_content(
            model=MODEL, contents=["What?", types.Part.from_bytes(data=b"x", mime_type="image/png")]
        ),
        lambda ours: ours.chat(
            MODEL,
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
                    ],
                }
            ],
        ),
    ),
    "stream": Question(
        event_stream(CANDIDATE),
        lambda theirs: list(theirs.models.generate_content_stream(model=MODEL, contents="Hi")),
        lambda ours: list(ours.stream_generate(MODEL, "Hi")),
    ),
    "stream of a chat": Question(
        event_stream(CANDIDATE),
        lambda theirs: list(theirs.models.generate_content_stream(model=MODEL, contents="Hi")),
        lambda ours: list(ours.stream(MODEL, "Hi")),
    ),
    "embed": Question(
        answer(TWO),
        lambda theirs: theirs.models.embed_content(
            model="gemini-embedding-001",
            contents=["a", "b"],
            config={"task_type": "CLUSTERING", "output_dimensionality": 1},
        ),
        lambda ours: ours.embed(
            "gemini-embedding-001", ["a", "b"], taskType="CLUSTERING", outputDimensionality=1
        ),
    ),
    "embed one": Question(
        answer({"embeddings": [{"values": [0.5]}]}),
        lambda theirs: theirs.models.embed_content(model="gemini-embedding-001", contents="a"),
        lambda ours: ours.embed("gemini-embedding-001", "a"),
    ),
    "count": Question(
        answer({"totalTokens": 3}),
        lambda theirs: theirs.models.count_tokens(model=MODEL, contents=CONTENTS),
        lambda ours: ours.count_tokens(MODEL, CONTENTS),
    ),
    "models": Question(
        answer(MODELS),
        lambda theirs: list(theirs.models.list(config={"page_size": 1000})),
        lambda ours: ours.models(),
    ),
}
DIFFERENCES = {
    "accept": "they take anything; we want JSON",
    "x-goog-api-client": "the vendor's telemetry",
}

# Members of the body that they send and we do not: settings of none, where another one is given.
ALSO_SENT_BY_THEM: dict[str, Any] = {"generationConfig": {}}


def client_of(server: Recorder, **options: Any) -> sdk.Client:
    """Their client, which repeats nothing."""
    address = server.url.removesuffix("/v1")
    return sdk.Client(api_key=KEY, http_options=types.HttpOptions(base_url=address, **options))


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_we_send_what_the_vendors_client_sends(server: Recorder, make: Make, question: Question):
    """The same method, path, query, body and headers for the same question."""
    ours = make(gemini, KEY, base_url=server.url.removesuffix("/v1"), max_retries=0)

    with client_of(server) as theirs:
        expected, sent = sent_by(server, question, theirs, ours, DIFFERENCES)

    if expected["json"] is None:
        expected["headers"].pop("content-type")  # they say of what type no body is
    # They write some names with underscores, which the API reads as well.
    expected["json"] = camel_case(expected["json"])
    for name, value in ALSO_SENT_BY_THEM.items():
        if expected["json"] and value == expected["json"].get(name):
            del expected["json"][name]
    assert expected == sent


@pytest.mark.parametrize("version", ["v1beta", "beta"])
def test_the_version_is_in_the_path(server: Recorder, make: Make, version: str):
    """`beta` is how the vendor's variable calls the one with the previews."""
    address = server.url.removesuffix("/v1")
    ours = make(gemini, KEY, base_url=address, api_version=version)

    with client_of(server, api_version="v1beta") as theirs:
        expected, sent = sent_by(server, QUESTIONS["count"], theirs, ours, DIFFERENCES)

    assert expected == sent
    assert f"/v1beta/models/{MODEL}:countTokens" == sent["path"]


@pytest.mark.filterwarnings("ignore:Both GOOGLE_API_KEY")
@pytest.mark.parametrize("both", [False, True])
def test_both_read_the_same_environment(server: Recorder, make: Make, monkeypatch, both: bool):
    """Key, address and version come from the same variables; Google's key wins over Gemini's."""
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-other")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url.removesuffix("/v1"))
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "beta")
    if both:
        monkeypatch.setenv("GOOGLE_API_KEY", KEY)

    with sdk.Client() as theirs:
        expected, sent = sent_by(server, QUESTIONS["embed"], theirs, make(gemini), DIFFERENCES)

    assert expected == sent
    assert (KEY if both else "AIza-other") == sent["headers"]["x-goog-api-key"]
