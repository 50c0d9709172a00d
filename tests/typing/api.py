# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Typed uses of the public names: never run, only read by mypy and pyright.

Each decorator keeps the parameters and the result of every kind of function, which `assert_type`
states; what must be refused carries an ignore, and an ignore that is not needed is an error.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, as_completed, wait
from typing import Any, assert_type

from adapters import claude, gemini, groq, llvm, ollama, opea, openai, ovms, s3, tei, tgi
from adapters._results import (
    Answer,
    Documents,
    Embeddings,
    Health,
    Models,
    Picture,
    Predictions,
    Rankings,
    RawAnswer,
    Tensors,
    TokenCount,
    Transcription,
)
from adapters._s3_results import Listed, ObjectInfo, StoredObject, Written
from adapters._streaming import AsyncStream, Stream
from resilience import (
    CircuitBreaker,
    KeyPool,
    Priority,
    PriorityQueue,
    RetryBudget,
    Settings,
    circuit_breaker,
    deadline,
    prioritized,
    priority,
    resilient,
    retry,
)

breaker = CircuitBreaker(failure_threshold=3, reset_timeout=1.0)
budget = RetryBudget(ratio=0.1)
pool = KeyPool({"first": "made up"})
queue = PriorityQueue(max_concurrent_requests=2)


# Functions, with each way to write a decorator.


@retry
def bare(number: int, *, text: str = "") -> float:
    """Double it."""
    return number * len(text)


@retry(max_retries=2, budget=budget, on=(ValueError, OSError))
def with_settings(number: int) -> str:
    """Write it."""
    return str(number)


@circuit_breaker(breaker)
def with_an_object(number: int) -> str:
    """Write it."""
    return str(number)


@resilient(Settings(max_retries=1), keys=pool, attempt_timeout=2.0)
def whole_stack(number: int, *, api_key: str) -> str:
    """Write it."""
    return str(number) + api_key


@retry(max_retries=1)
@circuit_breaker(failure_threshold=2)
@pool
def stacked(number: int, *, api_key: str = "") -> str:
    """Write it."""
    return str(number) + api_key


assert_type(bare(1, text="x"), float)
assert_type(with_settings(1), str)
assert_type(with_an_object(1), str)
assert_type(whole_stack(1, api_key=""), str)
assert_type(stacked(1), str)
callback: Callable[[int], str] = with_settings

bare("1")  # type: ignore[arg-type]
bare(1, txt="x")  # type: ignore[call-arg]
retry(max_retries="2")  # type: ignore[call-overload]


# Coroutine functions and generators.


@retry
async def fetch(number: int) -> str:
    """Write it, later."""
    return str(number)


@resilient(max_retries=1)
def items(number: int) -> Generator[int, str, bool]:
    """Count."""
    return (yield number) == ""


@circuit_breaker
async def later_items(number: int) -> AsyncGenerator[int, None]:
    """Count, later."""
    yield number


async def awaited() -> None:
    """Await what is decorated."""
    assert_type(await fetch(1), str)
    async for item in later_items(1):
        assert_type(item, int)
    awaitable: Awaitable[str] = fetch(1)
    await awaitable


for item in items(1):
    assert_type(item, int)


# Methods, class methods and static methods.


class Service:
    """Something with methods of every kind."""

    @retry
    def method(self, number: int) -> str:
        """Write it."""
        return str(number)

    @circuit_breaker(failure_threshold=2)
    async def coroutine(self, number: int) -> str:
        """Write it, later."""
        return str(number)

    @classmethod
    @retry(max_retries=2)
    def of_the_class(cls, number: int) -> str:
        """Write it."""
        return cls.__name__ * number

    @staticmethod
    @resilient
    def of_nobody(number: int) -> str:
        """Write it."""
        return str(number)

    @prioritized(queue)
    def queued(self, number: int) -> str:
        """Write it, in its turn."""
        return str(number)

    # The same with the decorator outside.

    @retry
    @classmethod
    def outside(cls, number: int) -> str:
        """Write it."""
        return cls.__name__ * number

    @pool.inject("key")
    @staticmethod
    async def outside_of_nobody(number: int, *, key: str = "") -> str:
        """Write it, later."""
        return str(number) + key

    @prioritized
    @classmethod
    def queued_of_the_class(cls, number: int) -> str:
        """Write it, in its turn."""
        return cls.__name__ * number

    @classmethod
    @prioritized(queue_size=2)
    async def queued_inside(cls, number: int) -> str:
        """Write it, in its turn, later."""
        return cls.__name__ * number

    @prioritized(queue_size=2)
    @staticmethod
    def queued_of_nobody(number: int) -> str:
        """Write it, in its turn."""
        return str(number)

    @property
    @retry
    def value(self) -> int:
        """Read it."""
        return 1


service = Service()
assert_type(service.method(1), str)
assert_type(Service.method(service, 1), str)
assert_type(Service.of_the_class(1), str)
assert_type(service.of_the_class(1), str)
assert_type(Service.of_nobody(1), str)
assert_type(service.of_nobody(1), str)
assert_type(service.queued(1), str)
assert_type(service.queued.submit(1).result(), str)
assert_type(service.queued.queue, PriorityQueue)
assert_type(Service.queued(service, 1), str)
assert_type(Service.outside(1), str)
assert_type(service.outside(1), str)
assert_type(Service.queued_of_the_class(1), str)
assert_type(service.queued_of_the_class.submit(1).result(), str)
assert_type(Service.queued_inside.submit(1).result(), str)
assert_type(Service.queued_of_nobody(1), str)
assert_type(service.value, int)

service.method("1")  # type: ignore[arg-type]
service.queued("1")  # type: ignore[call-overload]
Service.method(1)  # type: ignore[call-arg, arg-type]
Service.of_the_class("1")  # type: ignore[arg-type]
Service.outside()  # type: ignore[call-arg]
service.of_nobody(1, 2)  # type: ignore[call-arg]
Service.queued_of_the_class("1")  # type: ignore[call-overload]
Service.queued_of_nobody.submit("1")  # type: ignore[call-overload]


async def awaited_method() -> None:
    """Await a decorated method."""
    assert_type(await service.coroutine(1), str)
    assert_type(await Service.outside_of_nobody(1), str)
    assert_type(await Service.queued_inside(1), str)
    text: str = service.coroutine(1)  # type: ignore[assignment]
    text.upper()


# What `prioritized` adds to a function.


@prioritized
def queued(number: int) -> str:
    """Write it, in its turn."""
    return str(number)


@prioritized(max_concurrent_requests=2, queue_timeout=1.0)
async def queued_coroutine(number: int) -> str:
    """Write it, in its turn, later."""
    return str(number)


async def awaited_queue() -> None:
    """Await what is queued."""
    assert_type(await queued_coroutine(1), str)
    assert_type(await queued_coroutine.submit(1), str)


assert_type(queued(1), str)
submitted: Future[str] = queued.submit(1)
assert_type({each.result() for each in as_completed([queued.submit(1)])}, set[str])
assert_type({each.result() for each in wait([queued.submit(1)]).done}, set[str])
assert_type(queued.submit(1).result(), str)
assert_type(queued_coroutine.submit(1).result(), str)
queued.queue.resize(max_concurrent_requests=3)


# Operations of clients, and the functions of a module.

client = openai.Client("made up")
assert_type(client.chat("m", "Hi", temperature=0), Answer)
assert_type(client.stream("m", [{"role": "user", "content": "Hi"}]), Stream)
assert_type(client.embed("m", ["a"]), Embeddings)
assert_type(openai.Client.chat(client, "m", "Hi"), Answer)
assert_type(openai.models(), Models)
assert_type(openai.chat("m", "Hi"), Answer)

assert_type(claude.chat("m", "Hi", max_tokens=5), Answer)
assert_type(claude.count_tokens("m", "Hi"), TokenCount)
assert_type(gemini.generate("m", ["Hi"]).pictures, tuple[Picture, ...])
assert_type(gemini.embed("m", "a").vectors, list[list[float]])
assert_type(groq.transcribe("m", b"sound"), Transcription)
assert_type(ollama.pull("m"), Stream)
assert_type(bool(ollama.health()), bool)
claude.chat("m", "Hi", max_tokens="5")  # type: ignore[arg-type]

async_client = openai.AsyncClient("made up")


async def awaited_operations() -> None:
    """Await what a client is asked."""
    assert_type(await async_client.chat("m", "Hi"), Answer)
    assert_type(await openai.AsyncClient.embed(async_client, "m", "a"), Embeddings)
    assert_type(async_client.stream("m", "Hi"), AsyncStream)
    assert_type(await async_client.request("GET", "models"), RawAnswer)
    assert_type(async_client.request("GET", "models", stream=True), AsyncStream)
    async with async_client.stream("m", "Hi") as stream:
        async for event in stream:
            assert_type(event.text, str)
    await async_client.chat("m")  # type: ignore[call-arg]


client.chat("m")  # type: ignore[call-arg]
client.chat(1, "Hi")  # type: ignore[arg-type]
openai.embed("m")  # type: ignore[call-arg]

# Servers that people run themselves.

assert_type(tgi.chat("Hi", model="m"), Answer)
assert_type(tgi.stream_generate("Hi", max_new_tokens=5), Stream)
assert_type(tgi.health(), Health)
assert_type(tei.Client().predict(["a", "b"]), Predictions)
assert_type(tei.rerank("q", ["a"], model="m"), Rankings)
assert_type(llvm.chat_batch("m", ["Hi"]), Answer)
assert_type(ovms.infer("m", {"x": [1.0]}, binary=True), Tensors)
assert_type(opea.retrieve("q", [0.5], k=2), Documents)
tgi.chat()  # type: ignore[call-arg]
ovms.infer("m", 5)  # type: ignore[arg-type]
opea.rerank("q")  # type: ignore[call-arg]

# Objects in buckets.

assert_type(s3.get("b", "k", range=(0, 1)), StoredObject)
assert_type(s3.list("b", "p", delimiter="/"), Iterator[Listed])
assert_type(s3.Client().upload("file", "b", "k"), Written)
assert_type(s3.presign("b", "k", 60, "PUT"), str)
s3.put("b", "k")  # type: ignore[call-arg]
s3.get("b", "k", range=1)  # type: ignore[arg-type]


async def awaited_objects() -> None:
    """Await what is stored."""
    objects = s3.AsyncClient()
    assert_type(await objects.head("b", "k"), ObjectInfo)
    async for entry in objects.list("b"):
        assert_type(entry, Listed)
    assert_type(objects.presign("b", "k"), str)


# The rest.

with deadline(10), priority(Priority.HIGH):
    assert_type(deadline.remaining(), float | None)
with pool.lease() as lease:
    name: str = lease.name
assert_type(breaker.state, str)
assert_type(Settings.high_throughput().replace(max_retries=3), Settings)
anything: Any = queue.size
