"""The operations of OpenAI's dialect: one client, for every API that speaks it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any, ClassVar

from adapters._client import Client
from adapters._failures import read_answer
from adapters._messages import Answer, Embeddings, Models, Moderations, Usage
from adapters._openai_answers import (
    parse_chat,
    parse_completions,
    parse_embeddings,
    parse_models,
    parse_moderations,
    read_chat_stream,
)
from adapters._openai_style import (
    Dialect,
    Messages,
    build_chat,
    build_completions,
    build_embeddings,
    build_models,
    build_moderations,
)
from adapters._streaming import Stream
from resilience._rules import fail
from resilience.settings import reject_unknown

__all__ = ["OpenAIStyleClient"]


class OpenAIStyleClient(Client):
    """Chat, streams, completions, embeddings, moderations and models of OpenAI's dialect."""

    dialect: ClassVar[Dialect]

    def chat(self, model: str, messages: Messages, **options: Any) -> Answer:
        """Ask a model for the next message.

        Args:
            model: The name of the model.
            messages: A list of messages, or a text that is the user's only one.
            options: Those of every call; every other one goes to the API as it is.

        Raises:
            AdapterError: the last error of the API, once nothing more helps.
            RefusedError: if the call was not even sent.
        """
        call = self._call(_whole(options, "stream()"))
        return self._ask(build_chat(self.dialect, model, messages, options), parse_chat, call)

    def stream(self, model: str, messages: Messages, **options: Any) -> Stream:
        """Ask a model for the next message, piece by piece; as `chat`, but for the result.

        What fails before the first event is retried; later it is a `StreamInterruptedError`.
        Unless the caller sends `stream_options`, the usage is asked for.
        """
        call = self._call(options)
        request = build_chat(self.dialect, model, messages, {**options, "stream": True})
        return self._stream(request, partial(read_chat_stream, self.provider.errors), call)

    def completions(self, model: str, prompt: Any, **options: Any) -> Answer:
        """Continue a prompt, or each of a list of prompts; `.texts` holds a text for each."""
        call = self._call(_whole(options, "request(..., stream=True)"))
        request = build_completions(self.dialect, model, prompt, options)
        return self._ask(request, parse_completions, call)

    def embed(self, model: str, inputs: Any, **options: Any) -> Embeddings:
        """Turn a text, or each of a list of texts or token lists, into a vector.

        A list is sent as it is; above the most that the API takes it is sent in parts, in order,
        and the result is one: vectors and usage of all parts, `raw` a list, `attempts` their sum.
        """
        call = self._call(options)
        parts = list(build_embeddings(self.dialect, model, inputs, options))
        errors = self.provider.errors
        with call.scope():
            answers = [
                self._run(
                    request,
                    partial(read_answer, partial(parse_embeddings, count=count), errors),
                    call,
                    part=number,
                )
                for number, (request, count) in enumerate(parts, start=1)
            ]
        return answers[0] if len(answers) == 1 else _joined(answers)

    def moderations(self, inputs: Any, **options: Any) -> Moderations:
        """Judge a text, or each of a list; `model` is an option."""
        call = self._call(options)
        request = build_moderations(self.dialect, inputs, options)
        return self._ask(request, parse_moderations, call)

    def models(self, **options: Any) -> Models:
        """List the models."""
        call = self._call(options)
        reject_unknown(options, ("extra_headers",), "models")
        return self._ask(build_models(self.dialect, options), parse_models, call)


def _whole(options: dict[str, Any], instead: str) -> dict[str, Any]:
    """Refuse `stream=True` where a whole answer is read."""
    if options.get("stream"):
        fail("stream", f"cannot be set here: use {instead}", options["stream"])
    return options


def _joined(parts: list[Embeddings]) -> Embeddings:
    """Make one result of the parts of a call."""
    return replace(
        parts[0],
        vectors=[vector for part in parts for vector in part.vectors],
        usage=reduce(add, (part.usage for part in parts), Usage()),
        raw=[part.raw for part in parts],
        attempts=sum(part.attempts for part in parts),
    )
