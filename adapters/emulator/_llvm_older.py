"""The routes of an older framework's "LLVM" API, which no other server speaks.

Every error is `{"error": text}`; nothing streams and nothing counts tokens.
"""

from __future__ import annotations

from typing import Any

from adapters.emulator.answers import count_tokens, expected_answer
from adapters.emulator.checks import anything, array, check_body, mapping
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal, to_json

__all__ = ["OLDER_OPERATIONS", "is_older"]

_MODELS = ("default", "llama-ir")
_PATHS = ("/models", "/status", "/execute", "/optimize", "/batch_execute")


def is_older(path: str) -> bool:
    """Say whether a path belongs to this API."""
    return path.startswith(_PATHS)


def _model(call: Call) -> str:
    name = call.params["model"]
    if name not in _MODELS:
        raise Refusal(Problem(404, f"Model {name} not found"))
    call.model = name
    return name


def _output(call: Call, value: object) -> str:
    text = value if isinstance(value, str) else to_json(value).decode()
    return expected_answer(text, seed=call.seed)


def _list(_call: Call) -> Answer:
    return Answer.of_json({"models": list(_MODELS)})


def _show(call: Call) -> Answer:
    details = {"context": 8192}
    return Answer.of_json({"model_id": _model(call), "status": "ready", "details": details})


def _infer(call: Call) -> Answer:
    name = _model(call)
    check_body(call.data, {"parameters": mapping()}, ("input",), open_ended=True)
    return Answer.of_json({"model_id": name, "outputs": _output(call, call.data["input"])})


def _batch_infer(call: Call) -> Answer:
    name = _model(call)
    return Answer.of_json({"model_id": name, "results": _outputs(call)})


def _outputs(call: Call) -> list[str]:
    table = {"inputs": array(anything, low=1), "parameters": mapping()}
    check_body(call.data, table, ("inputs",), open_ended=True)
    return [_output(call, value) for value in call.data["inputs"]]


def _statistics(call: Call) -> Answer:
    counts = {"requests": 1, "errors": 0, "average_latency": 0.01}
    return Answer.of_json({"model_id": _model(call), "statistics": counts})


def _optimize_model(call: Call) -> Answer:
    kind = call.data.get("optimization_type")
    if kind not in ("speed", "memory", "balanced"):  # a tuple: it may be of any type
        raise Refusal(Problem(400, "optimization_type must be speed, memory or balanced"))
    return Answer.of_json(
        {"model_id": _model(call), "status": "optimized", "optimization_type": kind}
    )


def _reload(call: Call) -> Answer:
    return Answer.of_json({"model_id": _model(call), "status": "ready"})


def _status(_call: Call) -> Answer:
    return Answer.of_json({"status": "ok", "models": len(_MODELS)})


def _execute(call: Call) -> Answer:
    check_body(call.data, {"parameters": mapping()}, ("input",), open_ended=True)
    return Answer.of_json(_executed(call, call.data["input"]))


def _executed(call: Call, code: object) -> dict[str, Any]:
    text = _output(call, code)
    return {"result": text, "output": text, "errors": [], "execution_time": 0.01}


def _optimize(call: Call) -> Answer:
    check_body(call.data, {"parameters": mapping()}, ("input",), open_ended=True)
    code = str(call.data["input"])
    passes = ["mem2reg"] * min(count_tokens(code), 3)
    return Answer.of_json({"optimized_code": code, "optimization_passes": passes, "errors": []})


def _batch_execute(call: Call) -> Answer:
    return Answer.of_json({"results": _outputs(call)})


OLDER_OPERATIONS = (
    Operation("older_models", "GET", "/models", _list, takes_json=False),
    Operation("infer", "POST", "/models/{model}/infer", _infer),
    Operation("batch_infer", "POST", "/models/{model}/batch_infer", _batch_infer),
    Operation("statistics", "GET", "/models/{model}/statistics", _statistics, takes_json=False),
    Operation("optimize_model", "POST", "/models/{model}/optimize", _optimize_model),
    Operation("reload", "POST", "/models/{model}/reload", _reload, takes_json=False),
    Operation("older_model", "GET", "/models/{model}", _show, takes_json=False),
    Operation("status", "GET", "/status", _status, takes_json=False),
    Operation("execute", "POST", "/execute", _execute),
    Operation("optimize", "POST", "/optimize", _optimize),
    Operation("batch_execute", "POST", "/batch_execute", _batch_execute),
)
