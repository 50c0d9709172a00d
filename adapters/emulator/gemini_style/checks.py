"""What a request to the Gemini API may hold."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.emulator.checks import (
    Check,
    anything,
    array,
    boolean,
    either,
    integer,
    mapping,
    number,
    refuse,
    string,
)

__all__ = ["COUNT", "EMBED", "EMBED_MANY", "GENERATE"]

_BLOB = mapping(
    {"mimeType": string(empty=False), "data": string(empty=False), "displayName": string()},
    required=("mimeType", "data"),
)
_PART = mapping(
    {
        "text": string(),
        "inlineData": _BLOB,
        "fileData": mapping(required=("fileUri",)),
        "functionCall": mapping(required=("name",)),
        "functionResponse": mapping(required=("name", "response")),
        "executableCode": mapping(),
        "codeExecutionResult": mapping(),
        "thought": boolean,
        "thoughtSignature": string(),
        "videoMetadata": mapping(),
        "mediaResolution": anything,
        "partMetadata": mapping(),
        "toolCall": mapping(),
        "toolResponse": mapping(),
    }
)


def _role(_param: str, value: object) -> None:
    if value not in {"user", "model", "function", ""}:
        refuse("Please use a valid role: user, model.")


_CONTENT = mapping({"role": _role, "parts": array(_PART, low=1)}, required=("parts",))
# One content may stand without its array, as protocol buffers in JSON allow.
_CONTENTS = either("a list", list=array(_CONTENT, low=1), dict=_CONTENT)
_DECLARATION = mapping(required=("name",))
_TOOL = mapping(
    {
        "functionDeclarations": array(_DECLARATION),
        "googleSearch": mapping(),
        "googleSearchRetrieval": mapping(),
        "googleMaps": mapping(),
        "codeExecution": mapping(),
        "urlContext": mapping(),
        "computerUse": mapping(),
        "fileSearch": mapping(),
        "mcpServers": anything,
    }
)
_CALLING = mapping(
    {
        "mode": string("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
        "allowedFunctionNames": array(string()),
    }
)
_CONFIG = mapping(
    {
        "temperature": number(0, 2),
        "topP": number(0, 1),
        "topK": number(0, 1_000),
        "candidateCount": integer(1, 8),
        "maxOutputTokens": integer(1),
        "stopSequences": array(string(empty=False), high=5),
        "responseMimeType": string("text/plain", "application/json", "text/x.enum"),
        "responseSchema": mapping(),
        "responseJsonSchema": anything,
        "responseModalities": array(string("TEXT", "IMAGE", "AUDIO")),
        "responseLogprobs": boolean,
        "logprobs": integer(0, 20),
        "presencePenalty": number(-2, 2),
        "frequencyPenalty": number(-2, 2),
        "seed": integer(),
        "mediaResolution": string(),
        "speechConfig": mapping(),
        "imageConfig": mapping(),
        "thinkingConfig": mapping(
            {
                "includeThoughts": boolean,
                "thinkingBudget": integer(-1),
                "thinkingLevel": string("MINIMAL", "LOW", "MEDIUM", "HIGH"),
            }
        ),
        "enableEnhancedCivicAnswers": boolean,
    }
)

GENERATE: Mapping[str, Check] = {
    "model": string(),
    "contents": _CONTENTS,
    "systemInstruction": mapping({"role": anything, "parts": array(_PART)}),
    "generationConfig": _CONFIG,
    "tools": array(_TOOL),
    "toolConfig": mapping(
        {
            "functionCallingConfig": _CALLING,
            "retrievalConfig": mapping(),
            "includeServerSideToolInvocations": boolean,
        }
    ),
    "safetySettings": array(mapping(required=("category", "threshold"))),
    "cachedContent": string(),
    "labels": mapping(),
    "serviceTier": string(),
    "store": boolean,
}

COUNT: Mapping[str, Check] = {
    "model": string(),
    "contents": _CONTENTS,
    "generateContentRequest": mapping(GENERATE, required=("model", "contents")),
}

EMBED: Mapping[str, Check] = {
    "model": string(),
    "content": _CONTENT,
    "taskType": string(
        "TASK_TYPE_UNSPECIFIED",
        "RETRIEVAL_QUERY",
        "RETRIEVAL_DOCUMENT",
        "SEMANTIC_SIMILARITY",
        "CLASSIFICATION",
        "CLUSTERING",
        "QUESTION_ANSWERING",
        "FACT_VERIFICATION",
        "CODE_RETRIEVAL_QUERY",
    ),
    "title": string(),
    "outputDimensionality": integer(1),
}

EMBED_MANY: Mapping[str, Check] = {
    "requests": array(mapping(EMBED, required=("model", "content")), low=1)
}
