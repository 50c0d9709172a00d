"""Whatever a client sends, the emulated servers answer, and never fail by themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.emulator.protocol import Answer, Call, Operation, Provider, Refusal
from adapters.emulator.registry import PROVIDERS

SERVERS = ("tgi", "tei", "llvm", "ovms", "opea")
# The members that requests have: chance alone would never hit one.
WORDS = (  # noqa: SIM905 - a list of quoted words is hard to read
    "inputs parameters stream model messages role content prompt input query texts documents text "
    "top_n n stop max_tokens max_new_tokens tools tool_choice function name type instances outputs "
    "shape datatype data binary_data_size binary_data_output source_sentence sentences text_1 "
    "text_2 tokens ids embedding retrieved_docs initial_query k file_path optimization_type "
    "details grammar value response_format json_schema stream_options include_usage dimensions "
    "encoding_format x a b"
).split()
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from([2**70, 0.5, -1.5, "", "hi", "user", "FP32", "BYTES", "float", "base64"])
    | st.sampled_from(WORDS)
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(WORDS), values, min_size=1, max_size=8)


def answered(provider: Provider, operation: Operation, path: str, body: bytes) -> Answer:
    """Ask an operation as the application does, without a network."""
    call = Call(provider, operation.method, path, {}, body, request_id="req_1")
    data = json.loads(body)
    call.data = data if isinstance(data, dict) else {}
    provider.describe(call)
    try:
        if operation.takes_json and not call.data:
            return Answer(400)
        return provider.route(call).answer(call)
    except Refusal as refusal:
        return provider.problem(refusal.problem, call)


def path_of(operation: Operation) -> str:
    """A path that leads to an operation; its open parts are filled with what there is."""
    model = "default" if operation.path.startswith("/models") else "double"
    filled = operation.path.replace("{model:path}", "m").replace("{model}", model)
    return filled.replace("{version}", "1")


@pytest.mark.parametrize("name", SERVERS)
@settings(max_examples=40)  # each is sent to every operation
@given(body=bodies, stream=st.none() | st.booleans())
def test_any_body_is_answered(name: str, body: dict[str, Any], stream: bool | None):
    """With a good answer, or with an error; nothing else comes out of an operation."""
    provider = PROVIDERS[name]
    if stream is not None:
        body = {**body, "stream": stream}
    written = json.dumps(body).encode()

    for operation in provider.operations:
        found = answered(provider, operation, path_of(operation), written)
        assert found.status in range(200, 600)
        assert isinstance(found.body, bytes)
        assert all(isinstance(event, bytes) for event in found.events or ())
