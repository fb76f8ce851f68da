"""Array types of the room, and the reasons for which it refuses work.

Errors:
    ForecastingError            what a caller may want to catch as a whole
    ├── ConfigError             a configuration that cannot be meant
    ├── GridError               readings or hours that do not fit together
    ├── DocumentError           text that is not a model document of a known version
    └── FitRefused              this member has no business with this series; the reason is recorded
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Values = dict[str, Any]
"""Named numbers, texts, float arrays of one axis and further such dictionaries, as in JSON."""


class ForecastingError(Exception):
    """Something in the forecasting room cannot be done as asked."""


class ConfigError(ForecastingError):
    """The engine's configuration cannot be meant."""


class GridError(ForecastingError):
    """Readings or hours do not fit together."""


class DocumentError(ForecastingError):
    """The text is not a model document of a known version."""


class FitRefused(ForecastingError):
    """The member has no business with this series; the message is the recorded reason."""


class Model(Protocol):
    """What a recursion needs to know: structure and parameters stay, the state moves."""

    @property
    def structure(self) -> Values: ...

    @property
    def parameters(self) -> Values: ...

    @property
    def state(self) -> Values: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a fitter returns: a model whose state stands at the end of the hours it was given."""

    structure: Values
    parameters: Values
    state: Values
    sigma2: float
    figures: Values = field(default_factory=dict)
