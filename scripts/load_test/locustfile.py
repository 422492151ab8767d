"""The clients for locust, whose own command takes this file, too.

locust -f scripts/load_test/locustfile.py --host http://127.0.0.1:8000
"""

import random
from collections.abc import Callable
from typing import Any, ClassVar

import gevent
from locust import FastHttpUser, events

from scripts.load_test.answers import AnswerError, check
from scripts.load_test.scenarios import HEADER, SCENARIOS, Question, Scenario, questions

#: Statuses of a server that is too busy.
TURNED_AWAY = frozenset({429, 503, 504})
#: Seconds until a client that was refused sends the next request.
_PAUSE = 0.1


def _asker(scenario: Scenario) -> Callable[["Client"], None]:
    def ask(client: "Client") -> None:
        question = random.choice(client.questions[scenario.name])
        if not _ask(client, question):
            gevent.sleep(_PAUSE)

    return ask


def _ask(client: "Client", question: Question) -> bool:
    """Send a request; returns whether the answer was right."""
    known = {"question": question, "turned_away": False}
    with client.client.post(
        question.path,
        data=question.body,
        headers=question.headers,
        name=question.scenario.name,
        context=known,
        catch_response=True,
    ) as response:
        status = response.status_code
        if status in client.turned_away:
            # Locust's tables have only successes and failures, so this gets its own row.
            response.request_meta["name"] = f"turned away ({status})"
            response.request_meta["context"]["turned_away"] = True
            response.success()
            return False
        length = response.headers.get(HEADER) if response.headers else None
        content = response.content or str(getattr(response, "error", "")).encode()
        try:
            check(question, status, length, bytes(content))
        except AnswerError as error:
            response.failure(error)
            return False
        response.success()
    return True


class Client(FastHttpUser):  # type: ignore[misc]  # locust ships no types
    """Sends requests without a pause; the weight of a scenario is its frequency.

    Attributes:
        questions: name of a scenario to its requests.
        turned_away: statuses that are not failures.
    """

    questions: ClassVar[dict[str, list[Question]]] = {}
    turned_away: ClassVar[frozenset[int]] = TURNED_AWAY
    tasks: ClassVar[Any] = {_asker(scenario): scenario.weight for scenario in SCENARIOS}


def statuses(text: str) -> frozenset[int]:
    """Numbers separated by commas; may be empty."""
    return frozenset(int(number) for number in text.split(",") if number.strip())


def _add_option(parser: Any) -> None:
    by_default = ",".join(map(str, sorted(TURNED_AWAY)))
    text = "statuses that are counted apart from failures"
    parser.add_argument("--turned-away", type=str, default=by_default, help=text)


def _prepare(environment: Any, **_: Any) -> None:
    Client.questions = questions()
    Client.turned_away = statuses(environment.parsed_options.turned_away)
    gevent.sleep(0)  # or what it took so far would count as run time


events.init_command_line_parser.add_listener(_add_option)
events.init.add_listener(_prepare)
