"""Every attribute that `conventions` uses: the part of it that is the longest. Data alone."""

from __future__ import annotations

from resilience.telemetry._definitions import Attribute

__all__ = ["ATTRIBUTES", "CIRCUIT_STATES"]

_OUTCOMES = ("success", "failure", "refused", "cancelled")
_OUTPUT_TYPES = ("text", "json", "image", "speech")
_WHOLE = ("seed", "top_k", "max_tokens")
_REAL = ("temperature", "top_p", "frequency_penalty", "presence_penalty")

CIRCUIT_STATES = {"CLOSED": 0, "HALF-OPEN": 1, "OPEN": 2, "DISABLED": 3}

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("resilience.name", "str", "the function, breaker, queue, pool or batcher"),
    Attribute("resilience.outcome", "str", "how a call ended", _OUTCOMES),
    Attribute("resilience.attempts", "int", "attempts of the retry; 0 for a refusal"),
    Attribute("resilience.attempt", "int", "the attempt that failed: 1, 2, …"),
    Attribute("resilience.delay", "float", "seconds until the next attempt, or of a key's rest"),
    Attribute("resilience.source", "str", "who chose a delay", ("backoff", "server")),
    Attribute("resilience.reason", "str", "why it was retried, changed, refused or sent to rest"),
    Attribute("resilience.priority", "int", "0 high, 1 normal, 2 low", (0, 1, 2)),
    Attribute("resilience.queue.wait", "float", "seconds in the queue, of a call that waited"),
    Attribute("resilience.from", "str", "the circuit's state before", tuple(CIRCUIT_STATES)),
    Attribute("resilience.to", "str", "the circuit's state after", tuple(CIRCUIT_STATES)),
    Attribute("resilience.flush", "str", "why a batch went", ("size", "time", "explicit")),
    Attribute("resilience.batch.size", "int", "items of a batch"),
    Attribute("resilience.pool", "str", "the key pool"),
    Attribute("resilience.key.name", "str", "an entry of a pool, never its key"),
    Attribute("resilience.request_id", "str", "the call's own id; on spans alone"),
    Attribute("resilience.server_request_id", "str", "the id that the server gave; spans alone"),
    Attribute("error.type", "str", "the server's code, or the class of the error"),
    Attribute("server.address", "str", "the host of the API"),
    Attribute("server.port", "int", "its port, or that of its scheme"),
    Attribute("http.request.method", "str", "GET, POST, …"),
    Attribute("http.request.method_original", "str", "of a method that is none of HTTP's own"),
    Attribute("http.request.resend_count", "int", "1 on the second attempt; absent on the first"),
    Attribute("http.response.status_code", "int", "where there was an answer"),
    Attribute("network.peer.address", "str", "the address that the connection leads to"),
    Attribute("network.peer.port", "int", "its port"),
    Attribute("network.protocol.version", "str", "1.1, 2"),
    Attribute("url.full", "str", "without credentials, secrets of its query hidden"),
    Attribute("gen_ai.operation.name", "str", "chat, embeddings, …"),
    Attribute("gen_ai.provider.name", "str", "openai, anthropic, gcp.gemini, …"),
    Attribute("gen_ai.request.model", "str", "the model that was asked"),
    Attribute("gen_ai.request.stream", "bool", "true for a stream"),
    Attribute("gen_ai.request.choice.count", "int", "how many answers were asked for, if not 1"),
    *(Attribute(f"gen_ai.request.{each}", "int", "as asked") for each in _WHOLE),
    *(Attribute(f"gen_ai.request.{each}", "float", "as asked") for each in _REAL),
    Attribute("gen_ai.request.stop_sequences", "str[]", "as asked"),
    Attribute("gen_ai.request.reasoning.level", "str", "as asked"),
    Attribute("gen_ai.request.previous_response.id", "str", "the answer that this one goes on"),
    Attribute("gen_ai.conversation.id", "str", "the conversation, where the API keeps it"),
    Attribute("gen_ai.request.encoding_formats", "str[]", "of embeddings, as asked"),
    Attribute("gen_ai.embeddings.dimension.count", "int", "of each vector"),
    Attribute("gen_ai.output.type", "str", "the format asked for", _OUTPUT_TYPES),
    Attribute("gen_ai.response.id", "str", "the answer's id"),
    Attribute("gen_ai.response.model", "str", "the model that answered"),
    Attribute("gen_ai.response.finish_reasons", "str[]", "one for each choice"),
    Attribute("gen_ai.response.time_to_first_chunk", "float", "seconds, of a stream"),
    Attribute("gen_ai.usage.input_tokens", "int", "all input, the cached part included"),
    Attribute("gen_ai.usage.output_tokens", "int", "all output, reasoning included"),
    Attribute("gen_ai.usage.cache_read.input_tokens", "int", "the part that a cache served"),
    Attribute("gen_ai.usage.cache_write.input_tokens", "int", "the part written to a cache"),
    Attribute("gen_ai.usage.reasoning.output_tokens", "int", "the part spent on reasoning"),
    *(
        Attribute(f"gen_ai.usage.{kind}.{what}", "int", "as far as they are told apart")
        for kind in ("text", "image", "audio")
        for what in ("input_tokens", "output_tokens", "cache_read.input_tokens")
    ),
    Attribute("gen_ai.input.messages", "str", "content, only on request; JSON"),
    Attribute("gen_ai.output.messages", "str", "content, only on request; JSON"),
    Attribute("gen_ai.system_instructions", "str", "content, only on request; JSON"),
    Attribute("gen_ai.tool.definitions", "str", "content, only on request; JSON"),
    Attribute("gen_ai.token.modality", "str", "of tokens", ("text", "image", "audio", "unknown")),
    Attribute("gen_ai.token.type", "str", "in the older metric", ("input", "output")),
    Attribute("exception.type", "str", "the class of what a call raised"),
    Attribute("exception.message", "str", "what it says, keys hidden"),
    Attribute("rpc.system", "str", "aws-api, of S3", ("aws-api",)),
    Attribute("rpc.service", "str", "S3", ("S3",)),
    Attribute("rpc.method", "str", "the operation of S3"),
    Attribute("aws.s3.bucket", "str", "the bucket"),
)
