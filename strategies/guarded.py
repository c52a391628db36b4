"""Handlers that cannot fail in silence: the engine only logs what a handler raises, the desk must know.

Guarantee: an exception in a guarded handler becomes an `Alarm` of kind `handler_error` on the bus, with the
component, the handler and the error; the brain halts the desk when there are too many.  Only a handler of
alarms that fails is logged and no more: an alarm about it would come back to it without end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from risk.vocabulary import Alarm
from strategies import bus

HANDLER_ERROR = "handler_error"


def guarded[**P, R](handler: Callable[P, R]) -> Callable[P, R | None]:
    """Wrap a method of a component that has `publish_message`, `desk_clock` and `log`."""

    call: Callable[..., R] = handler

    @functools.wraps(handler)
    def wrapped(*args: Any) -> R | None:
        # Handlers get at most one message, by position; no keywords, since this runs a dozen times a signal.
        try:
            return call(*args)
        except Exception as error:  # noqa: BLE001 - any failure must reach the bus; the engine would swallow it
            component: Any = args[0]
            subject = f"{type(component).__name__}.{handler.__name__}"
            detail = f"{type(error).__name__}: {error}"
            component.log.error(f"{subject} raised {detail}")
            if not isinstance(args[-1], Alarm):
                component.publish_message(
                    bus.ALARM, Alarm(component.desk_clock.now_ns, HANDLER_ERROR, subject, detail)
                )
            return None

    return cast("Callable[P, R | None]", wrapped)
