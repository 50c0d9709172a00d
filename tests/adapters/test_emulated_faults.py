"""The faults of the emulator strike at every API that chats, and its client gets over them."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import claude, errors, gemini, groq, llvm, ollama, opea, openai, ovms, tgi
from adapters.emulator import Emulator, expected_answer
from adapters.errors import AdapterError
from tests.adapters.flavours import Make

ANSWER = expected_answer("Say hello", seed=7)
HELLO = [{"role": "user", "content": "Say hello"}]
# API: what a chat is asked with; some servers have one model, which needs no name.
ASKED: dict[Any, tuple[Any, ...]] = {
    claude: ("claude-sonnet-5-5", "Say hello"),
    gemini: ("gemini-2.0-flash", "Say hello"),
    groq: ("llama-3.1-8b-instant", "Say hello"),
    ollama: ("llama3.2", "Say hello"),
    openai: ("gpt-4o-mini", "Say hello"),
    tgi: ("Say hello",),
    llvm: ("Qwen/Qwen3-8B", "Say hello"),
    ovms: ("OpenVINO/Qwen3-8B-int4-ov", "Say hello"),
    opea: (HELLO,),
}
apis = pytest.mark.parametrize("api", ASKED, ids=lambda api: api.__name__.rpartition(".")[2])


def client_of(make: Make, emulator: Emulator, api: Any, **settings: Any) -> Any:
    """A client with one key that repeats a call once, and at once."""
    name = api.__name__.rpartition(".")[2]
    return make(
        api,
        emulator.keys(name)["production"],
        base_url=emulator.base_url(name),
        **{"max_retries": 1, "initial_retry_delay": 0, **settings},
    )


def said(client: Any, api: Any) -> str:
    """The whole text of a stream."""
    with client.stream(*ASKED[api]) as stream:
        return "".join(event.text for event in stream)


@apis
@pytest.mark.parametrize(
    "spec",
    [
        "429",
        "429:retry_after=0",
        "500",
        "502",
        "503",
        "529",
        "reset",
        "hang:timeout=0.01",
        "truncated",
        "truncated:keep=0",
        "broken_json",
        "wrong_type",
        "wrong_type:shape=null",
        "wrong_type:shape=object",
        "empty",
        "html",
        "error_in_200:status=503",
    ],
)
def test_a_call_gets_over_what_passes(make: Make, emulator: Emulator, api: Any, spec: str):
    """The second attempt brings the answer, and the log shows both."""
    emulator.script([f"{spec}{',' if ':' in spec else ':'}first=1"])

    found = client_of(make, emulator, api).chat(*ASKED[api])

    assert (ANSWER, 2) == (found.text, found.attempts)
    assert [True, False] == [record.fault is not None for record in emulator.log()]


@apis
@pytest.mark.parametrize(
    "spec",
    [
        "429",
        "503",
        "reset",
        "broken_json",
        "wrong_type",
        "empty",
        "cut:after=0",
        "cut:after=0,how=reset",
        "cut:after=0,how=clean",
        "stream_error:after=0,status=503",
        "stream_error:after=0,status=429",
    ],
)
def test_a_stream_gets_over_what_passes(make: Make, emulator: Emulator, api: Any, spec: str):
    """As long as nothing has come, it is begun anew."""
    emulator.script([f"{spec}{',' if ':' in spec else ':'}first=1"])

    assert ANSWER == said(client_of(make, emulator, api), api)
    assert 2 == len(emulator.log())


@apis
@pytest.mark.parametrize(
    "spec",
    [
        "cut:after=-2",
        "cut:after=-2,how=reset",
        "cut:after=-2,how=clean",
        "broken_json:after=6",
        "stream_error:after=6,status=503",
    ],
)
def test_a_stream_that_has_begun_is_interrupted(
    make: Make, emulator: Emulator, api: Any, spec: str
):
    """What came is kept in the error, and nothing is sent again."""
    emulator.script([spec])

    with pytest.raises(errors.StreamInterruptedError) as caught:
        said(client_of(make, emulator, api), api)

    assert ANSWER.startswith(caught.value.partial)
    assert caught.value.partial
    assert 1 == len(emulator.log())


@apis
def test_without_its_end_a_stream_is_not_whole(make: Make, emulator: Emulator, api: Any):
    """The words are all there, and only the end is missing: nobody can know."""
    emulator.script(["cut:after=-1,how=clean"])

    with pytest.raises(errors.StreamInterruptedError) as caught:
        said(client_of(make, emulator, api), api)

    assert ANSWER.startswith(caught.value.partial)


@apis
@pytest.mark.parametrize("spec", ["401", "403", "redirect", "429:retry_after=1000", "404"])
def test_what_does_not_pass_is_raised_at_once(make: Make, emulator: Emulator, api: Any, spec: str):
    """Another attempt would change nothing, or come too early."""
    emulator.script([spec])

    with pytest.raises(AdapterError) as caught:
        client_of(make, emulator, api).chat(*ASKED[api])

    assert (1, 1) == (caught.value.attempts, len(emulator.log()))


@apis
def test_a_limit_moves_the_work_to_the_other_key(make: Make, emulator: Emulator, api: Any):
    """No key is used before the time that the server has named."""
    name = api.__name__.rpartition(".")[2]
    emulator.script(["limit:key=production,requests=1,window=1000,grace=0"])
    client = make(api, keys=emulator.keys(name), base_url=emulator.base_url(name), max_retries=1)

    found = [client.chat(*ASKED[api]) for _ in range(4)]

    assert [ANSWER] * 4 == [each.text for each in found]
    assert 3 <= [each.key_name for each in found].count("backup")
    assert not any(record.too_early for record in emulator.log())
