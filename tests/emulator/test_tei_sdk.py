"""TEI: huggingface_hub and the openai SDK read what the emulator answers."""

from __future__ import annotations

import math
from typing import Any

import openai
import pytest
from huggingface_hub import InferenceClient

from adapters.emulator import Emulator, expected_vector
from adapters.emulator.answers import expected_score

from .conftest import SEED, Wire

LONG = "word " * 600


@pytest.fixture
def hub(server: Emulator) -> InferenceClient:
    """The vendor's client."""
    return InferenceClient(
        model=server.base_url("tei"), token=server.keys("tei")["production"], timeout=20
    )


@pytest.fixture
def wire(server: Emulator) -> Wire:
    """Requests by hand."""
    return Wire(server, provider="tei")


def test_embed(hub: InferenceClient) -> None:
    """A vector for each input, in order; one input gives a list of one."""
    one, two = hub.feature_extraction("a"), hub.feature_extraction(["a", "b"])  # type: ignore[arg-type]

    assert (1, 384) == one.shape
    assert [
        pytest.approx(expected_vector(text, 384, seed=SEED)) for text in ("a", "b")
    ] == two.tolist()


def test_vectors_may_be_left_as_they_are(wire: Wire) -> None:
    """`normalize: false` gives a vector that is longer than 1, `dimensions` a shorter list."""
    (vector,) = wire.send({"inputs": "a", "normalize": False}, "/embed").json
    (short,) = wire.send({"inputs": "a", "dimensions": 8}, "/embed").json

    assert pytest.approx(2, abs=1e-6) == math.hypot(*vector)
    assert pytest.approx(expected_vector("a", 8, seed=SEED)) == short


def test_embed_as_openai_does(server: Emulator) -> None:
    """The SDK reads base64 and usage; the model's name is not looked at."""
    key = server.keys("tei")["production"]
    with openai.OpenAI(
        base_url=f"{server.base_url('tei')}/v1", api_key=key, max_retries=0, timeout=20
    ) as sdk:
        found = sdk.embeddings.create(model="any", input=["a b", "c"])

    assert pytest.approx(expected_vector("c", 384, seed=SEED)) == found.data[1].embedding
    assert (3, 3) == (found.usage.prompt_tokens, found.usage.total_tokens)


def test_similarity(hub: InferenceClient) -> None:
    """The cosine of a sentence with itself is 1; the order is that of the sentences."""
    same, other = hub.sentence_similarity("a", other_sentences=["a", "b"])

    assert pytest.approx(1) == same
    assert other < same


def test_rerank(wire: Wire) -> None:
    """The best text comes first, with its place in the request."""
    body = {"query": "q", "texts": ["a", "b", "c"], "return_text": True}
    ranks = wire.send(body, "/rerank").json

    assert sorted((expected_score("q", t, seed=SEED) for t in "abc"), reverse=True) == [
        rank["score"] for rank in ranks
    ]
    assert ["abc"[rank["index"]] for rank in ranks] == [rank["text"] for rank in ranks]
    raw = wire.send({**body, "raw_scores": True}, "/rerank").json
    assert [rank["index"] for rank in ranks] == [rank["index"] for rank in raw]
    assert pytest.approx(ranks[0]["score"]) == 1 / (1 + math.exp(-raw[0]["score"]))


def test_predict_takes_a_pair_for_one_input(wire: Wire) -> None:
    """Two plain texts are one pair; two inputs are lists of their own; three texts are nothing."""
    one, pair = (wire.send({"inputs": i}, "/predict").json for i in ("a", ["a", "b"]))
    batch = wire.send({"inputs": [["a"], ["b"]]}, "/predict").json

    assert pytest.approx(1) == sum(label["score"] for label in one)
    assert {"negative", "neutral", "positive"} == {label["label"] for label in pair}
    assert one == batch[0]
    assert pair not in batch
    assert 422 == wire.send({"inputs": ["a", "b", "c"]}, "/predict").status


def test_the_other_forms_of_a_vector(wire: Wire) -> None:
    """Sparse vectors have places and values, `embed_all` a vector for each token."""
    (sparse,) = wire.send({"inputs": "a"}, "/embed_sparse").json
    (each,) = wire.send({"inputs": "a b"}, "/embed_all").json

    assert {"index", "value"} == set(sparse[0])
    assert (2, 384) == (len(each), len(each[1]))


def test_tokens(wire: Wire) -> None:
    """Tokens stand between the marks of beginning and end, unless these are not wanted."""
    (tokens,) = wire.send({"inputs": "hello world"}, "/tokenize").json
    (bare,) = wire.send({"inputs": ["hi"], "add_special_tokens": False}, "/tokenize").json

    assert ["[CLS]", "hello", " world", "[SEP]"] == [token["text"] for token in tokens]
    assert ["hi"] == [token["text"] for token in bare]
    assert ["5 6"] == wire.send({"ids": [5, 6]}, "/decode").json


def test_costs_and_facts(wire: Wire) -> None:
    """The tokens of a native route stand in a header; the server tells its limits."""
    headers = wire.send({"inputs": ["a b", "c"]}, "/embed").headers
    info = wire.send(None, "/info", "GET").json

    assert ("3", "4") == (headers["x-compute-tokens"], headers["x-compute-characters"])
    assert (32, 512) == (info["max_client_batch_size"], info["max_concurrent_requests"])
    assert 200 == wire.send(None, "/health", "GET").status


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/embed", {"inputs": []}, 400, "Empty"),
        ("/embed", {"inputs": ["a"] * 33}, 422, "Validation"),
        ("/embed", {"inputs": LONG, "truncate": False}, 422, "Validation"),
        ("/embed", {"inputs": "a", "prompt_name": "x"}, 422, "Validation"),
        ("/embed", {"inputs": "a", "dimensions": 385}, 422, "Validation"),
        ("/embed", {"inputs": "a", "truncation_direction": "Up"}, 422, "Validation"),
        ("/rerank", {"query": "q", "texts": []}, 400, "Empty"),
        ("/rerank", {"query": "q", "texts": ["a"] * 33}, 422, "Validation"),
        (
            "/similarity",
            {"inputs": {"source_sentence": "a", "sentences": ["a"] * 32}},
            422,
            "Validation",
        ),
    ],
)
def test_refusals_have_a_type(wire: Wire, path: str, body: Any, status: int, kind: str) -> None:
    """The type begins with a capital; a batch that is too large is 422."""
    reply = wire.send(body, path)

    assert (status, kind) == (reply.status, reply.json["error_type"])


def test_the_openai_route_has_flat_errors(server: Emulator, wire: Wire) -> None:
    """There the message, the status and the type stand side by side."""
    refused = wire.send({"input": ["a"] * 33}, "/v1/embeddings").json
    server.script(["429"])
    overloaded = wire.send({"input": "a"}, "/v1/embeddings")

    message = "batch size 33 > maximum allowed batch size 32"
    assert {"message": message, "code": 422, "type": "Validation"} == refused
    assert (429, "Overloaded") == (overloaded.status, overloaded.json["type"])


def test_keys(wire: Wire) -> None:
    """The header is compared byte for byte; health needs none."""
    wrong = {"authorization": "Bearer x"}

    assert (401, b"") == (
        wire.send({"inputs": "a"}, "/embed", headers=wrong).status,
        wire.send({"inputs": "a"}, "/embed", headers=wrong).body,
    )
    assert 401 == wire.send(None, "/info", "GET", headers=wrong).status
    assert 200 == wire.send(None, "/health", "GET", headers=wrong).status
