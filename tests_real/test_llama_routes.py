"""What else llama.cpp's server can be asked: texts, vectors, responses, health; many at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from adapters import claude, llvm, openai, ovms, tgi
from tests.adapters.flavours import Make, Together
from tests_real.apis import APIS, TOOL, nothing_is_held
from tests_real.llama import KEY, MODEL, SENTENCE
from tests_real.proxy import Proxy
from tests_real.servers import Server

# The model's vector of a text is that of its last letter.
TEXTS = ["hi", "ho", "something new", "answer", "Gruß", "x", "y", "z"]
OPENAI = APIS["openai"]


@pytest.mark.parametrize("name", ["openai", "llvm", "tgi"])
def test_completions(make: Make, llama_server: Server, name: str):
    """A prompt is continued as the SDK reads it."""
    api = APIS[name]
    found = api.ask(api.client(make, llama_server.url).completions, "hi", max_tokens=20)
    with api.sdk(llama_server.url) as theirs:
        wanted = theirs.completions.create(model=MODEL, prompt="hi", max_tokens=20)

    assert SENTENCE == wanted.choices[0].text == found.text
    assert (wanted.usage.prompt_tokens, wanted.usage.completion_tokens) == (
        found.usage.input_tokens,
        found.usage.output_tokens,
    )
    assert "stop" == wanted.choices[0].finish_reason == found.finish_reason


@pytest.mark.parametrize("name", ["openai", "llvm"])
def test_a_list_of_prompts(make: Make, llama_server: Server, name: str):
    """There is a text for each, in order."""
    client = APIS[name].client(make, llama_server.url)

    assert (SENTENCE,) * 3 == client.completions(MODEL, ["a", "b", "c"], max_tokens=20).texts


@pytest.mark.parametrize("name", ["openai", "llvm"])
def test_vectors(make: Make, embedding_server: Server, name: str):
    """They are the SDK's, to the last bit that a float has, in the order of the inputs."""
    api = APIS[name]
    found = api.client(make, embedding_server.url).embed(MODEL, TEXTS)
    with api.sdk(embedding_server.url) as theirs:
        wanted = theirs.embeddings.create(model=MODEL, input=TEXTS)

    assert len(TEXTS) == len(found.vectors) == len({tuple(vector) for vector in found.vectors})
    for ours, one in zip(found.vectors, wanted.data, strict=True):
        assert one.embedding == pytest.approx(ours, abs=1e-7)
    assert (wanted.usage.prompt_tokens, wanted.usage.total_tokens, MODEL) == (
        found.usage.input_tokens,
        found.usage.total_tokens,
        found.model,
    )


def test_vectors_of_tokens(make: Make, embedding_server: Server):
    """A list of numbers is one input."""
    client = OPENAI.client(make, embedding_server.url)
    [of_text], [of_tokens] = (
        client.embed(MODEL, "x").vectors,
        client.embed(MODEL, [1, 3 + ord("x")]).vectors,
    )

    assert of_text == pytest.approx(of_tokens)


def test_responses(make: Make, llama_server: Server):
    """OpenAI's newer route: whole, event by event and counted as the SDK reads it."""
    client = OPENAI.client(make, llama_server.url)
    whole = client.responses(MODEL, "hi")
    with client.stream_responses(MODEL, "hi") as stream:
        kinds = [event.raw["type"] for event in stream]
    with OPENAI.sdk(llama_server.url) as theirs:
        wanted = theirs.responses.create(model=MODEL, input="hi")
        seen = [each.type for each in theirs.responses.create(model=MODEL, input="hi", stream=True)]

    assert SENTENCE == wanted.output_text == whole.text == stream.text
    assert (wanted.usage.input_tokens, wanted.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )
    assert whole.usage.total_tokens == stream.usage.total_tokens
    assert seen == kinds
    assert "response.completed" == kinds[-1]
    assert "stop" == whole.finish_reason == stream.finish_reason


def test_responses_that_call_a_tool(make: Make, calling_server: Server):
    """The call is the SDK's, whole and as a stream."""
    client = OPENAI.client(make, calling_server.url)
    tool = {"type": "function", **TOOL["function"]}
    [call] = client.responses(MODEL, "hi", tools=[tool]).tool_calls
    with client.stream_responses(MODEL, "hi", tools=[tool]) as stream:
        list(stream)
    [streamed] = stream.tool_calls
    with OPENAI.sdk(calling_server.url) as theirs:
        output = theirs.responses.create(model=MODEL, input="hi", tools=[tool]).output
    [wanted] = [item for item in output if item.type == "function_call"]

    assert (wanted.name, wanted.arguments) == (call.name, call.arguments)
    assert ("f", '{"a": 1}') == (call.name, call.arguments) == (streamed.name, streamed.arguments)


def test_a_count_of_tokens(make: Make, llama_server: Server):
    """It is what the answer costs."""
    client = OPENAI.client(make, llama_server.url)

    assert client.responses(MODEL, "hi").usage.input_tokens == int(client.count_tokens(MODEL, "hi"))


def test_any_other_request(make: Make, llama_server: Server):
    """A route that no operation has goes through `request`, whole and event by event."""
    client = OPENAI.client(make, llama_server.url)
    body = {"model": MODEL, "input": "hi"}
    found = client.request("POST", "responses", json=body)
    with client.request("POST", "responses", json={**body, "stream": True}, stream=True) as stream:
        events = [event.event for event in stream]

    assert (200, SENTENCE) == (found.status_code, found.raw["output"][0]["content"][0]["text"])
    assert ("response.created", "response.completed") == (events[0], events[-1])


def test_health(make: Make, llama_server: Server):
    """The server is ready."""
    for module in (llvm, tgi):
        assert make(module, api_key=KEY, base_url=llama_server.url).health()


def test_chats_without_a_route_for_batches(make: Make, llama_server: Server):
    """This server has none, and so gets the conversations one by one."""
    found = APIS["llvm"].client(make, llama_server.url).chat_batch(MODEL, ["hi", "ho"])

    assert ((SENTENCE, SENTENCE), 2) == (found.texts, found.attempts)


def test_many_at_once(run: Any, embedding_server: Server):
    """Every call gets the vector of its own text, and in the end nothing is held."""
    kind = openai.Client if run.flavour == "sync" else openai.AsyncClient
    client = kind(api_key=KEY, base_url=f"{embedding_server.url}/v1", max_concurrent_requests=6)
    texts = TEXTS * 4
    alone = {text: run.call(client.embed, MODEL, text).vectors[0] for text in TEXTS}
    calls = [run.start(client.embed, MODEL, text) for text in texts]
    found = [call.result().vectors[0] for call in calls]
    run.call(getattr(client, "aclose", None) or client.close)

    assert nothing_is_held(client)
    for text, vector in zip(texts, found, strict=True):
        assert alone[text] == pytest.approx(vector, abs=1e-6)


def test_texts_share_a_request(flavour: str, proxy: Proxy, embedding_server: Server):
    """Calls with a text each are one request with a list, and each gets the vector of its own."""
    url = f"{proxy.lead_to(embedding_server.port)}/v1"
    options = {"api_key": KEY, "batch_models": [MODEL], "batch_timeout": 60}
    found = Together(flavour, openai, base_url=url, **options)(
        *(partial(embed, text) for text in TEXTS)
    )
    with OPENAI.sdk(embedding_server.url) as theirs:
        wanted = theirs.embeddings.create(model=MODEL, input=TEXTS)

    assert 1 == proxy.connections
    assert wanted.usage.total_tokens == sum(answer.usage.total_tokens for answer in found)
    for one, answer in zip(wanted.data, found, strict=True):
        assert one.embedding == pytest.approx(answer.vectors[0], abs=1e-7)


def embed(text: str, client: Any) -> Any:
    """Ask a client, of either kind."""
    return client.embed(MODEL, text)


def test_the_same_answer_in_every_dialect(
    make: Make, llama_server: Server, prefixed_server: Server
):
    """Five clients, one model: one text, one count of tokens, one reason."""
    url = llama_server.url
    clients = {module: make(module, api_key=KEY, base_url=url) for module in (claude, llvm, tgi)}
    clients[openai] = make(openai, api_key=KEY, base_url=f"{url}/v1")
    clients[ovms] = make(ovms, api_key=KEY, base_url=prefixed_server.url)
    answers = [
        client.chat(*([] if module is tgi else [MODEL]), "hi") for module, client in clients.items()
    ]

    assert [(SENTENCE, "stop", 9)] * 5 == [
        (found.text, found.finish_reason, found.usage.output_tokens) for found in answers
    ]
    assert 1 == len({found.usage.input_tokens for found in answers})
