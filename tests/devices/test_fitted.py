from __future__ import annotations

import numpy as np
import pytest

from edgevit.devices.fitted import Fitted


def test_costs_add_up_over_levels_and_features() -> None:
    fitted = Fitted(np.array([10.0, 1.0]), np.log([1.0, 2.0]), {"device": {("a",): np.log([3.0, 1.0])}})
    x = np.array([[20.0, 1.0], [20.0, 1.0]])
    predicted = np.exp(fitted.predict(x, {"device": [("a",), ("unknown",)]}))
    assert predicted == pytest.approx([2 * 3 + 2, 2 + 2])
