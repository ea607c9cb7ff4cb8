"""How a pipeline takes the weights of its rows: by the fit of its last step."""

import inspect
from typing import Any

from driftloop.errors import UserError

_PARAMETER = "sample_weight"


def weights_parameter(pipeline: Any, recipe: object) -> str:
    """The name that the pipeline's ``fit`` takes weights under: ``<step>__sample_weight``, in what wraps pipelines the innermost's.

    Raises UserError, for the ``recipe`` that asks for them, where they would be refused or would change nothing.
    """
    if hasattr(pipeline, "steps"):
        name, last = pipeline.steps[-1]
        return f"{name}__{weights_parameter(last, recipe)}"
    parameters = inspect.signature(pipeline.fit).parameters if hasattr(pipeline, "fit") else {}
    takes, wrapped = _PARAMETER in parameters, _wrapped(pipeline)
    if wrapped is not None:
        # Some that wrap an estimator go on without weights where it takes none, with a warning that nobody sees: ask it itself.
        inner = weights_parameter(wrapped, recipe)
        passes_on = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        if (inner == _PARAMETER and takes) or (passes_on and not takes):
            return inner
    elif takes:
        return _PARAMETER
    raise UserError(f"{recipe} needs an estimator whose fit takes {_PARAMETER}; {type(pipeline).__name__} takes none")


def _wrapped(estimator: Any) -> Any:
    """The estimator that another one fits, such as a search over parameters or a transformed target."""
    for name in ("estimator", "regressor"):
        if hasattr(inner := getattr(estimator, name, None), "fit"):
            return inner
    return None
