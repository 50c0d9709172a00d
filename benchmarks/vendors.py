"""The vendors' own clients, each with one question to a server: what the adapters stand beside.

Every function opens a client, which the stack closes, and returns what asks once and gives the
answer in the form in which the adapter gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from adapters.emulator import Emulator

__all__ = ["BUCKET", "CONTENT", "MODELS", "OBJECT", "PROMPT", "ROWS", "VENDORS"]

PROMPT = "Say hello"
ROWS = [[1.0, 2.0, 3.0, 4.0]]
BUCKET, OBJECT, CONTENT = "demo", "a/b c.bin", b"\x00\x01\x02\x03" * 256
MODELS = {
    "openai": "gpt-4o-mini",
    "claude": "claude-haiku-5-5",
    "groq": "llama-3.1-8b-instant",
    "gemini": "gemini-2.5-flash-lite",
    "ollama": "llama3.2",
    "llvm": "Qwen/Qwen3-8B",
    "ovms": "double",
}

Ask = Callable[[], Any]
Vendor = Callable[[Emulator, ExitStack], Ask]

_MESSAGES: Any = [{"role": "user", "content": PROMPT}]


def _key(server: Emulator, name: str) -> str:
    return server.keys(name)["production"]


def _openai(name: str, path: str, server: Emulator, clients: ExitStack) -> Ask:
    from openai import OpenAI

    base_url = server.base_url(name) + path
    create: Any = clients.enter_context(
        OpenAI(api_key=_key(server, name), base_url=base_url)
    ).chat.completions.create
    ask = partial(create, model=MODELS[name], messages=_MESSAGES)
    return lambda: ask().choices[0].message.content


def _anthropic(server: Emulator, clients: ExitStack) -> Ask:
    from anthropic import Anthropic

    create: Any = clients.enter_context(
        Anthropic(api_key=_key(server, "claude"), base_url=server.base_url("claude"))
    ).messages.create
    ask = partial(create, model=MODELS["claude"], messages=_MESSAGES, max_tokens=1_024)
    return lambda: ask().content[0].text


def _groq(server: Emulator, clients: ExitStack) -> Ask:
    from groq import Groq

    root = server.base_url("groq").removesuffix("/openai/v1")  # it adds the path by itself
    create: Any = clients.enter_context(
        Groq(api_key=_key(server, "groq"), base_url=root)
    ).chat.completions.create
    ask = partial(create, model=MODELS["groq"], messages=_MESSAGES)
    return lambda: ask().choices[0].message.content


def _gemini(server: Emulator, clients: ExitStack) -> Ask:
    from google.genai import Client
    from google.genai.types import HttpOptions

    options = HttpOptions(base_url=server.base_url("gemini"))
    client = clients.enter_context(Client(api_key=_key(server, "gemini"), http_options=options))
    return lambda: client.models.generate_content(model=MODELS["gemini"], contents=PROMPT).text


def _ollama(server: Emulator, clients: ExitStack) -> Ask:
    from ollama import Client

    chat: Any = clients.enter_context(Client(host=server.base_url("ollama"))).chat
    return lambda: chat(model=MODELS["ollama"], messages=_MESSAGES).message.content


def _hub(name: str, server: Emulator, clients: ExitStack) -> Any:
    from huggingface_hub import InferenceClient

    return clients.enter_context(
        InferenceClient(model=server.base_url(name), token=_key(server, name))
    )


def _tgi(server: Emulator, clients: ExitStack) -> Ask:
    hub = _hub("tgi", server, clients)
    return lambda: hub.text_generation(PROMPT)


def _tei(server: Emulator, clients: ExitStack) -> Ask:
    extract: Any = _hub("tei", server, clients).feature_extraction

    def ask() -> Any:
        return extract(PROMPT)[0].tolist()

    return ask


def _triton(server: Emulator, clients: ExitStack) -> Ask:
    import numpy as np
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

    address = server.base_url("ovms").removeprefix("http://")
    client: Any = clients.enter_context(closing(InferenceServerClient(address)))
    rows = np.array(ROWS, dtype=np.float32)

    def ask() -> Any:
        given = InferInput("x", list(rows.shape), "FP32")
        given.set_data_from_numpy(rows, binary_data=True)
        wanted = [InferRequestedOutput("y", binary_data=True)]
        return client.infer(MODELS["ovms"], [given], outputs=wanted).as_numpy("y").tolist()

    return ask


def _boto3(server: Emulator, clients: ExitStack) -> Ask:
    import boto3
    from botocore.config import Config

    credentials = server.credentials()["production"]
    client: Any = boto3.session.Session().client(
        "s3",
        endpoint_url=server.base_url("s3"),
        aws_access_key_id=credentials["access_key"],
        aws_secret_access_key=credentials["secret_key"],
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    clients.callback(client.close)

    def ask() -> Any:
        return client.get_object(Bucket=BUCKET, Key=OBJECT)["Body"].read()

    return ask


# By API: the vendor's client and its name; OPEA has none.
VENDORS: dict[str, tuple[str, Vendor]] = {
    "openai": ("openai SDK", partial(_openai, "openai", "")),
    "claude": ("anthropic SDK", _anthropic),
    "groq": ("groq SDK", _groq),
    "gemini": ("google-genai", _gemini),
    "ollama": ("ollama's own", _ollama),
    "tgi": ("huggingface_hub", _tgi),
    "tei": ("huggingface_hub", _tei),
    "llvm": ("openai SDK", partial(_openai, "llvm", "/v1")),
    "ovms": ("tritonclient", _triton),
    "s3": ("boto3", _boto3),
}
