"""Frozen records: what a caller gets, one for each kind of answer that several APIs give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from adapters._messages import Result, ToolCall, Usage
from resilience._record import record

__all__ = [
    "Answer",
    "Documents",
    "Embeddings",
    "Health",
    "Info",
    "Models",
    "Moderations",
    "Picture",
    "Predictions",
    "Rankings",
    "RawAnswer",
    "Scores",
    "SparseEmbeddings",
    "Tensors",
    "TokenCount",
    "Tokens",
    "Transcription",
]


@record(kw_only=False)
class Picture:
    """A picture: its bytes, and of what kind they are, such as "image/png"."""

    data: bytes = field(repr=False)
    mime_type: str


@record
class Answer(Result):
    """Text that a model wrote; `str(answer)` is the text.

    Attributes:
        text: The first choice's text; empty where the model only called tools or refused.
        texts: The text of every choice, by index.
        reasoning: The first choice's thoughts, where the API shows them.
        usage: Tokens.
        finish_reason: "stop", "length", "tool_calls", "content_filter", or the API's own word.
        finish_reasons: The same for every choice, by index.
        tool_calls: What the model wants called.
        refusal: Why the model refused, in its own words, or None.
        model: The model that answered.
        pictures: What the model drew, at the APIs whose models draw.
    """

    text: str
    texts: tuple[str, ...] = field(default=(), repr=False)
    reasoning: str = field(default="", repr=False)
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    model: str | None = None
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    finish_reasons: tuple[str | None, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text


@record
class Embeddings(Result):
    """Vectors in the order of the inputs; a single input gives one vector."""

    vectors: list[list[float]] = field(repr=False)
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


@record
class Moderations(Result):
    """Verdicts in the order of the inputs.

    Attributes:
        flagged: For each input, whether it breaks a rule.
        scores: For each input, a number from 0 to 1 for each category.
    """

    flagged: tuple[bool, ...]
    scores: tuple[Mapping[str, float], ...] = field(repr=False)
    model: str | None = None


@record
class Models(Result):
    """The names of the models; it iterates over them."""

    names: tuple[str, ...]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names


@record
class RawAnswer(Result):
    """The answer to a request of any kind: `raw` is the parsed JSON, or None where it is none.

    Attributes:
        content: The body as bytes.
        status_code: The HTTP status.
    """

    content: bytes = field(repr=False)
    status_code: int = 200


@record
class SparseEmbeddings(Result):
    """For each input, the weights of the tokens that matter, by the id of the token."""

    vectors: list[Mapping[int, float]] = field(repr=False)
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


@record
class Rankings(Result):
    """How well documents fit a query, the best first.

    Attributes:
        order: The places of the documents in the list that was sent.
        scores: Their scores, in the same order.
        usage: Tokens.
        model: The model that judged.
    """

    order: tuple[int, ...]
    scores: tuple[float, ...]
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


@record
class Documents(Result):
    """What a search has found, the best first; it iterates over the texts.

    Attributes:
        texts: The texts.
        ids: Their ids; an empty one where the server tells none.
        metadata: What else the server tells of each.
    """

    texts: tuple[str, ...]
    ids: tuple[str, ...] = ()
    metadata: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


@record
class Scores(Result):
    """A number for each input, in their order."""

    scores: tuple[float, ...]
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


@record
class Predictions(Result):
    """Classes, in the order of the inputs.

    Attributes:
        labels: For each input, the class that fits best.
        scores: For each input, the score of every class that the server named.
    """

    labels: tuple[str, ...]
    scores: tuple[Mapping[str, float], ...] = field(repr=False)
    usage: Usage = field(default_factory=Usage)
    model: str | None = None


@record
class TokenCount(Result):
    """How many tokens a prompt has; `int(count)` is the number."""

    input_tokens: int
    cached_tokens: int = 0

    def __int__(self) -> int:
        return self.input_tokens


@record
class Tokens(Result):
    """The tokens of each input.

    Attributes:
        ids: For each input, the ids of its tokens.
        texts: For each input, their texts; empty where the server does not tell them.
    """

    ids: tuple[tuple[int, ...], ...]
    texts: tuple[tuple[str, ...], ...] = field(default=(), repr=False)


@record
class Transcription(Result):
    """What was said in a recording; `str(transcription)` is the text."""

    text: str
    usage: Usage = field(default_factory=Usage)
    model: str | None = None

    def __str__(self) -> str:
        return self.text


@record
class Tensors(Result):
    """What a model of any kind gave.

    Attributes:
        outputs: By name; numbers or texts, nested as deep as the tensor has dimensions, where the
            server tells its shape. An answer without names is the output "output".
        model: The model that answered.
        version: Its version.
    """

    outputs: Mapping[str, Any] = field(repr=False)
    model: str | None = None
    version: str | None = None


@record
class Health(Result):
    """Whether a server is ready to work; it is true if it is."""

    is_healthy: bool

    def __bool__(self) -> bool:
        return self.is_healthy


@record
class Info(Result):
    """What a server tells about itself or a model: `info["name"]` is a field of the answer."""

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __contains__(self, name: object) -> bool:
        return name in self.raw
