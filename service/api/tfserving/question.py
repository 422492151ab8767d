"""A decoded request, and its answer by the data plane in each of the forms."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from service.api.http.errors import placed
from service.api.tfserving import codec
from service.api.tfserving.arrays import write_npz
from service.api.tfserving.streams import Event, Events
from service.inference.predictor import Predictor
from service.protocol.prediction import Prediction
from service.serving.context import Context
from service.serving.data_plane import DataPlane
from service.serving.offload import offload

#: What a header's value may hold as it is; the rest of a model's name is percent-encoded.
_PLAIN = "".join(map(chr, range(ord(" "), ord("~")))).replace("%", "")


@dataclass(frozen=True)
class _Answer:
    """What is said of all rows, beginning with model and version, and of each.

    Attributes:
        head: of all rows.
        columns: of each row for each output.
        by_row: of each row for all outputs: name to (B,).
    """

    head: Mapping[str, Any]
    columns: codec.Columns
    by_row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(y.nbytes for found in self.columns.values() for y in found.values())


@dataclass(frozen=True)
class Question:
    """A request that was decoded.

    Attributes:
        plane: answers it.
        predictor: of its model.
        asked: its rows, and what to do with them.
        context: of the request.
    """

    plane: DataPlane
    predictor: Predictor
    asked: codec.Decoded
    context: Context

    async def json(self) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of the answer as JSON."""
        return await self._write(await self._answer()), {}

    async def npz(self) -> tuple[bytes, Mapping[str, str]]:
        """The same as an .npz file, whose head is in the headers."""
        answer = await self._answer()
        arrays = {**codec.arrays_by_name(answer.columns), **answer.by_row}
        body = await offload(self.context, answer.nbytes, write_npz, arrays)
        said = {k: quote(str(value), _PLAIN) for k, value in answer.head.items()}
        return body, {f"x-mcdropout-{key}": value for key, value in said.items()}

    async def events(self) -> Events:
        """Running estimates, and the answer last."""
        if self.asked.options is None:
            yield await self._event(await self._answer(), final=True)
            return
        rows, options = self.asked.rows, self.asked.options
        with placed(self.asked.place):
            stream = self.plane.stream(self.predictor, rows, options, self.context)
            async with aclosing(stream) as predictions:
                async for found in predictions:
                    yield await self._event(self._sampled(found), found.final)

    async def _answer(self) -> _Answer:
        plane, asked, context = self.plane, self.asked, self.context
        with placed(asked.place):
            if asked.options is None:
                outputs = await plane.predict_deterministic(self.predictor, asked.rows, context)
                return _Answer(self._head, {name: {"output": y} for name, y in outputs.items()})
            return self._sampled(
                await plane.predict(self.predictor, asked.rows, asked.options, context)
            )

    def _sampled(self, found: Prediction) -> _Answer:
        head = {**self._head, "passes": found.passes, "seed": found.seed}
        return _Answer(head, codec.sampled(found), found.by_row)

    async def _event(self, answer: _Answer, final: bool) -> Event:
        marked = replace(answer, head={**answer.head, "final": final})
        body = await self._write(marked)
        self.context.require_time()
        return Event("final" if final else "estimate", body)

    async def _write(self, answer: _Answer) -> bytes:
        return await offload(self.context, answer.nbytes, self._json, answer)

    def _json(self, answer: _Answer) -> bytes:
        columns = answer.columns
        if self.asked.labeled:
            columns = codec.labeled(columns, self.predictor.terms.plain.facts)
        head = {**answer.head, **answer.by_row}
        return codec.write_json(head, columns, self.asked.by_row)

    @property
    def _head(self) -> Mapping[str, Any]:
        return {"model": self.context.model, "version": self.context.version}
