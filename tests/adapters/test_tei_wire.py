"""TEI's wire: what this adapter sends is what huggingface_hub sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from huggingface_hub import InferenceClient

from adapters import tei
from tests.adapters.flavours import Make
from tests.adapters.oracle import comparable
from tests.adapters.recorder import Recorder, answer

KEY = "hf_test1234"
DIFFERENCES = {
    "accept": "they say nothing, or that they take anything; we want JSON",
    "x-amzn-trace-id": "theirs: read by Hugging Face's hosted endpoints alone",
    "x-request-id": "ours: for proxies; the server reads none",
}

Ask = Callable[[Any], Any]
# Operation: the answer, their path, how they are asked, how we are.
OPERATIONS: dict[str, tuple[object, str, Ask, Ask]] = {
    "embed": (
        [[0.5, 1.0], [0.25, 2.0]],
        "/embed",
        lambda theirs: theirs.feature_extraction(["Grüße", "b"]),
        lambda ours: ours.embed(["Grüße", "b"]),
    ),
    "embed with everything": (
        [[0.5, 1.0]],
        "/embed",
        lambda theirs: theirs.feature_extraction(
            ["a"],
            normalize=False,
            truncate=True,
            prompt_name="query",
            truncation_direction="Left",
        ),
        lambda ours: ours.embed(
            ["a"], normalize=False, truncate=True, prompt_name="query", truncation_direction="Left"
        ),
    ),
    "similarity": (
        [1.0, 0.5],
        "/similarity",
        lambda theirs: theirs.sentence_similarity("a", other_sentences=["a", "b"]),
        lambda ours: ours.similarity("a", ["a", "b"]),
    ),
}
# A member of the body in which the two differ, and why.
SENT_BY_THEM = {"parameters": "empty: a form that all models of their API have"}


@pytest.mark.parametrize(
    ("found", "path", "ask_them", "ask_us"), OPERATIONS.values(), ids=OPERATIONS
)
def test_we_send_what_the_vendors_client_sends(
    server: Recorder, make: Make, found: object, path: str, ask_them: Ask, ask_us: Ask
):
    """The same method, path, body and headers for the same question."""
    server.play(answer(found))
    root = server.url.removesuffix("/v1")

    ask_them(InferenceClient(model=root + path, token=KEY))
    ask_us(make(tei, api_key=KEY, base_url=server.url))

    expected, sent = (comparable(request, DIFFERENCES) for request in server.requests)
    for name in SENT_BY_THEM:
        assert {} == expected["json"].pop(name, {})
    assert expected == sent


def test_the_environment(server: Recorder, monkeypatch):
    """Address and key come from variables; a version at the end of the address does not matter."""
    monkeypatch.setenv("TEI_BASE_URL", server.url)
    monkeypatch.setenv("HF_TOKEN_1", KEY)
    server.play(answer({"version": "1.9.3"}))

    assert "1.9.3" == tei.Client().info()["version"]
    assert ("/info", f"Bearer {KEY}") == (
        server.requests[0].path,
        server.requests[0].headers["authorization"],
    )
