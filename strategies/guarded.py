"""Handlers that cannot fail in silence: the engine only logs what a handler raises, the desk must know.

Guarantee: an exception in a guarded handler becomes an `Alarm` of kind `handler_error` on the bus, with the
component, the handler and the error; the brain halts the desk when there are too many.  Only a handler of
alarms that fails is logged and no more: an alarm about it would come back to it without end.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

from risk.vocabulary import Alarm
from strategies import bus

HANDLER_ERROR = "handler_error"


def guarded[**P, R](handler: Callable[P, R]) -> Callable[P, R | None]:
    """Wrap a method of a component that has `publish_message`, `desk_clock` and `log`.

    The method takes one message by position, or none.
    """
    call: Callable[..., R] = handler

    def failed(component: Any, error: Exception, message: object) -> None:
        subject = f"{type(component).__name__}.{handler.__name__}"
        detail = f"{type(error).__name__}: {error}"
        component.log.error(f"{subject} raised {detail}")
        if not isinstance(message, Alarm):
            alarm = Alarm(component.desk_clock.now_ns, HANDLER_ERROR, subject, detail)
            component.publish_message(bus.ALARM, alarm)

    # Two of them, because this runs a dozen times a signal and a call with `*args` costs twice as much.
    def wrapped(component: Any, message: Any) -> R | None:
        try:
            return call(component, message)
        except Exception as error:  # noqa: BLE001 - any failure must reach the bus; the engine would swallow it
            failed(component, error, message)
            return None

    def wrapped_alone(component: Any) -> R | None:
        try:
            return call(component)
        except Exception as error:  # noqa: BLE001 - see above
            failed(component, error, None)
            return None

    takes_message = len(inspect.signature(handler).parameters) > 1
    outer = functools.wraps(handler)(wrapped if takes_message else wrapped_alone)
    return cast("Callable[P, R | None]", outer)
