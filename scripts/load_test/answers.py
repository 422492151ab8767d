"""What a right answer is."""

import numpy as np
import orjson

from scripts.load_test.scenarios import Array, Question


class AnswerError(Exception):
    """An answer does not match its request."""


class MismatchError(AnswerError):
    """The answer to a request with a seed has other numbers than the library."""


def check(question: Question, status: int, json_length: str | None, content: bytes) -> None:
    """Check an answer.

    Args:
        question: the request.
        status: of the answer; 0: there was none.
        json_length: length of the JSON part, from the answer's header.
        content: the answer's body.

    Raises:
        AnswerError: it is an error, cannot be read, or has no variance at all.
        MismatchError: it has a seed, and its numbers differ.
    """
    if status != 200:
        raise AnswerError(f"status {status}: {content[:200].decode(errors='replace')}")
    try:
        passes, seed, moments = _read(question, json_length, content)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise AnswerError(f"unreadable: {error!r} in {content[:80]!r}") from error
    wanted = (2, question.scenario.rows, question.width)
    if moments.shape != wanted or passes != question.scenario.passes:
        raise AnswerError(f"{moments.shape} numbers of {passes} passes for {wanted}")
    if not np.isfinite(moments).all() or not (moments[1] > 0).any():
        raise AnswerError("certain: no variance is above 0, or a number is none")
    if question.reference is None:
        return
    if seed != question.seed or not np.array_equal(moments, question.reference):
        off = np.abs(moments - question.reference).max()
        raise MismatchError(
            f"mismatch: seed {question.seed} differs from the library by up to {off:.1e}"
        )


def _read(question: Question, json_length: str | None, content: bytes) -> tuple[int, int, Array]:
    """Passes, seed, and mean and variance, stacked: (2, rows, width) float64."""
    if not question.scenario.binary:
        answer = orjson.loads(content)
        rows = answer["predictions"]
        moments = np.array([[row[key] for row in rows] for key in ("mean", "variance")], np.float64)
        return answer["passes"], answer["seed"], moments
    length = int(json_length or 0)
    answer = orjson.loads(content[:length])
    if [output["name"] for output in answer["outputs"]] != ["mean", "variance"]:
        raise ValueError("other outputs than mean and variance")
    moments = np.frombuffer(content[length:], "<f8").reshape(2, *answer["outputs"][0]["shape"])
    return answer["parameters"]["passes"], answer["parameters"]["seed"], moments
