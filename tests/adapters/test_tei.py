"""The client of TEI: operations, parts and errors, against the emulator and byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import tei
from adapters.emulator import Emulator, expected_vector
from adapters.emulator.answers import expected_score
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    InvalidResponseError,
    OverloadedError,
    PayloadTooLargeError,
    RateLimitError,
    ServerError,
    SettingsError,
)
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("tei")
    return make(tei, keys=emulator.keys("tei"), base_url=address, max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(tei, base_url=server.url, max_retries=0)


@pytest.mark.parametrize("inputs", ["a b", [5, 6], ["a b", "c"], [[5, 6], "c"]])
def test_embed(client: Any, inputs: Any):
    """A vector for each input, in every form that an input may have; a header counts the tokens."""
    items = inputs if isinstance(inputs[0], list) or "c" in inputs else [inputs]
    texts = [item if isinstance(item, str) else " ".join(map(str, item)) for item in items]

    found = client.embed(inputs, model="bge")

    assert [list(expected_vector(text, 384, seed=7)) for text in texts] == found.vectors
    assert (len(items) + 1, "bge") == (found.usage.input_tokens, found.model)
    assert found.usage.total_tokens == found.usage.input_tokens


def test_a_long_list_is_sent_in_parts(client: Any, emulator: Emulator):
    """The result is one, in order; what each part has cost is added up."""
    texts = [str(number) for number in range(70)]

    found = client.embed(texts)

    assert [list(expected_vector(text, 384, seed=7)) for text in texts] == found.vectors
    assert (70, 3) == (found.usage.input_tokens, found.attempts)
    assert 3 == len(found.raw) == len(emulator.log())


def test_classes_tokens_and_weights_are_joined_too(client: Any):
    """Whatever is sent in parts comes back as one, in order."""
    texts = [str(number) for number in range(40)]
    classes, tokens = client.predict(texts), client.tokenize(texts, add_special_tokens=False)

    assert [client.predict(text).scores[0] for text in ("0", "39")] == [
        classes.scores[0],
        classes.scores[39],
    ]
    assert (40, 40, 2) == (len(classes.labels), classes.usage.input_tokens, classes.attempts)
    assert tuple((text,) for text in texts) == tokens.texts
    assert (40, 2) == (len(tokens.ids), tokens.attempts)
    assert client.embed_sparse("39").vectors[0] == client.embed_sparse(texts).vectors[39]


def test_a_server_that_takes_fewer_says_so(emulator: Emulator, make: Make):
    """What was refused is sent anew in parts of the size that the server takes."""
    address = emulator.base_url("tei")
    client = make(tei, base_url=address, max_client_batch_size=40, max_retries=0)

    found = client.embed(["a"] * 41)

    assert 41 == len(found.vectors)
    assert [422, 200, 200] == [record.status for record in emulator.log()]


def test_a_body_that_is_too_large_is_halved(scripted: Any, server: Recorder):
    """The server does not say how much it takes, so half of it is tried."""
    too_large = answer(b"length limit exceeded", 413)
    server.play(too_large, answer([[1.0]] * 2), answer([[2.0]] * 2))

    assert [[1.0], [1.0], [2.0], [2.0]] == scripted.embed(["a", "b", "c", "d"]).vectors

    server.play(too_large)
    with pytest.raises(PayloadTooLargeError):
        scripted.embed("a")


def test_predict_wraps_each_input(client: Any, emulator: Emulator):
    """Two texts are two inputs; a pair is a tuple: the server would take the former for a pair."""
    single, texts = client.predict("a"), client.predict(["a", "b"])
    pair, mixed = client.predict(("a", "b")), client.predict([("a", "b"), "a"])

    assert (1, 2, 1, 2) == tuple(len(each.labels) for each in (single, texts, pair, mixed))
    assert single.scores[0] == texts.scores[0] == mixed.scores[1]
    assert pair.scores[0] == mixed.scores[0] != single.scores[0]
    for label, scores in zip(texts.labels, texts.scores, strict=True):
        assert label == max(scores, key=lambda name: scores[name])
        assert pytest.approx(1) == sum(scores.values())


def test_rerank_joins_its_parts(client: Any, emulator: Emulator):
    """The best document comes first, wherever in the list it stands."""
    documents = [str(number) for number in range(50)]

    found = client.rerank("q", documents, model="reranker")

    scores = [expected_score("q", text, seed=7) for text in documents]
    assert sorted(range(50), key=lambda place: -scores[place]) == list(found.order)
    assert sorted(scores, reverse=True) == list(found.scores)
    assert (2, 52, "reranker") == (found.attempts, found.usage.input_tokens, found.model)


def test_similarity_and_the_others(client: Any):
    """Cosines in the order of the sentences, weights by token, tokens by input."""
    same, other = client.similarity("a", ["a", "b"]).scores
    (sparse,) = client.embed_sparse("a").vectors

    assert pytest.approx(1) == same
    assert other < same
    assert 8 == len(sparse)
    assert all(weight > 0 for weight in sparse.values())
    assert (("[CLS]", "a", " b", "[SEP]"),) == client.tokenize("a b").texts
    assert (("a",), ("b",)) == client.tokenize(["a", "b"], add_special_tokens=False).texts
    assert 32 == client.info()["max_client_batch_size"]
    assert client.health()


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (400, {"error": "empty", "error_type": "Empty"}, BadRequestError, "empty"),
        (401, b"", AuthenticationError, None),
        (415, b"expected JSON", AdapterError, None),
        (422, {"error": "too long", "error_type": "Validation"}, BadRequestError, "validation"),
        (422, {"error": "too long", "error_type": "Tokenizer"}, BadRequestError, "tokenizer"),
        (424, {"error": "failed", "error_type": "Backend"}, ServerError, "backend"),
        (429, {"error": "busy", "error_type": "Overloaded"}, RateLimitError, "overloaded"),
        (429, {"message": "busy", "code": 429, "type": "overloaded"}, RateLimitError, "overloaded"),
        (503, {"error": "dead", "error_type": "Unhealthy"}, OverloadedError, "unhealthy"),
    ],
)
def test_errors_by_status(
    scripted: Any,
    server: Recorder,
    status: int,
    body: object,
    error: type[AdapterError],
    code: str | None,
):
    """Every row of the table of errors has its class; the case of a word does not matter."""
    server.play(answer(body, status))

    with pytest.raises(error) as caught:
        scripted.embed("a")

    assert (error, status, code) == (
        type(caught.value),
        caught.value.status_code,
        caught.value.code,
    )


def test_an_error_inside_a_200(client: Any, emulator: Emulator):
    """Its type tells what it is."""
    emulator.script(["error_in_200:status=429"])

    with pytest.raises(RateLimitError, match="no permits"):
        client.embed("a")


@pytest.mark.parametrize("found", [[], [[1.0]], [[1.0]] * 3, {"a": 1}, [["x"], [1.0]], [None, [1]]])
def test_an_answer_of_another_form(scripted: Any, server: Recorder, found: object):
    """There must be one item for each input, and it must be what it should."""
    server.play(answer(found))

    with pytest.raises(InvalidResponseError):
        scripted.embed(["a", "b"])


@pytest.mark.parametrize("order", [[0, 0], [0, 2], [-1, 0]])
def test_a_ranking_of_other_documents(scripted: Any, server: Recorder, order: list[int]):
    """Each document may be ranked once, and no other one."""
    server.play(answer([{"index": place, "score": 0.5} for place in order]))

    with pytest.raises(InvalidResponseError, match="ranks other documents"):
        scripted.rerank("q", ["a", "b"])


@pytest.mark.parametrize("size", [0, True, "32"])
def test_the_size_of_a_part_is_checked(size: object):
    """It is a whole number, at least 1."""
    with pytest.raises(SettingsError, match="max_client_batch_size must be a whole number"):
        tei.Client(base_url="http://localhost", max_client_batch_size=size)


def test_the_module_has_a_client_of_its_own(emulator: Emulator, monkeypatch):
    """Its functions find the server in the environment."""
    monkeypatch.setenv("TEI_BASE_URL", emulator.base_url("tei"))
    tei.configure()
    try:
        tei.reset_stats()
        assert 384 == len(tei.embed("a").vectors[0])
        assert 1 == tei.get_stats()["total_requests"]
    finally:
        tei.configure()
