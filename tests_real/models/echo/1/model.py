"""A model of Triton that gives texts back, and fails when asked to."""

from __future__ import annotations

from typing import Any

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    """What Triton's Python backend looks for."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request."""
        return [answer(triton.get_input_tensor_by_name(one, "text").as_numpy()) for one in requests]


def answer(texts: np.ndarray) -> Any:
    """The same texts, or the error that a model of somebody's would have raised."""
    if b"fail" in texts:
        return triton.InferenceResponse([], triton.TritonError("the model was asked to fail"))
    return triton.InferenceResponse([triton.Tensor("text", texts)])
