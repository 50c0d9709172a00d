"""The dashboard: each metric of the definitions, from the calls down to the requests."""

from __future__ import annotations

from deploy.generator import panels, panels_models
from deploy.generator.grafana import Row, Variable
from deploy.generator.names import series_of
from deploy.generator.queries import Queries

__all__ = ["ROWS", "VARIABLES"]

ROWS: tuple[Row, ...] = (*panels.ROWS, *panels_models.ROWS)

_EACH = Queries("", filters={"job": "$job"})
_MODELS = _EACH.select("gen_ai.client.inference.duration", "count")

VARIABLES: tuple[Variable, ...] = (
    Variable("job", "Job", f"label_values({series_of('resilience.call.active')[0]}, job)"),
    Variable(
        *("name", "Name"),
        'label_values({__name__=~"resilience_.+",job=~"$job"}, resilience_name)',
    ),
    Variable(
        *("pool", "Key pool"),
        f"label_values({_EACH.select('resilience.key.available')}, resilience_pool)",
    ),
    Variable(*("model", "Model"), f"label_values({_MODELS}, gen_ai_request_model)"),
)
