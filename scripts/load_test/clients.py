"""The process of the clients: runs them on locust, and reports the results.

    python -m scripts.load_test.clients ORDER

ORDER is an `Order` as JSON. Each line that it prints is a `Window` as JSON.
"""

import json
import sys
import time
from typing import Any

import gevent
from locust import events
from locust.env import Environment

from scripts.load_test.answers import MismatchError
from scripts.load_test.drive import Order
from scripts.load_test.locustfile import Client
from scripts.load_test.scenarios import Question, questions
from scripts.load_test.windows import Window


class Recorder:
    """Counts locust's events."""

    def __init__(self) -> None:
        self._window = Window()
        self._began = time.perf_counter()

    def begin(self) -> None:
        """Discard the times so far, but not the failures."""
        for tally in self._window.scenarios.values():
            tally.times = []
        self._began = time.perf_counter()

    def take(self, clients: int) -> Window:
        """The results since the beginning, or since the last call."""
        now = time.perf_counter()
        taken, self._window = self._window, Window()
        taken.clients, taken.seconds, self._began = clients, now - self._began, now
        return taken

    def on_request(
        self, response_time: float, exception: Exception | None, context: Any, **_: Any
    ) -> None:
        """Locust's event for an answer, with its time in milliseconds."""
        question: Question = context["question"]
        tally = self._window.tally(question.scenario.name)
        if context["turned_away"]:
            tally.turned_away += 1
            return
        if exception is None:
            tally.times.append(round(response_time, 3))
        else:
            tally.failures += 1
            self._window.note(f"{question.scenario.name}: {exception}")
        mismatch = isinstance(exception, MismatchError)
        tally.mismatches += mismatch
        tally.compared += question.seed is not None and (exception is None or mismatch)

    def on_user_error(self, exception: Exception, **_: Any) -> None:
        """Locust's event for an exception in the client's own code."""
        self._window.tally("the client itself").failures += 1
        self._window.note(f"the client itself: {exception!r}")


def run(order: Order) -> None:
    """Execute the order, and print the windows."""
    Client.questions, Client.turned_away = questions(), frozenset(order.turned_away)
    recorder = Recorder()
    events.request.add_listener(recorder.on_request)
    events.user_error.add_listener(recorder.on_user_error)
    environment = Environment(user_classes=[Client], host=order.url, events=events)
    runner = environment.create_local_runner()
    for clients in order.loads:
        runner.start(clients, spawn_rate=clients)
        runner.spawning_greenlet.join()
        gevent.sleep(order.warm_up)
        recorder.begin()
        for _ in range(order.windows):
            gevent.sleep(order.seconds)
            print(json.dumps(recorder.take(clients).as_json()), flush=True)
    runner.quit()


if __name__ == "__main__":
    run(Order(**json.loads(sys.argv[1])))
