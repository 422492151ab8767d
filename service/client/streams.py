"""Streamed answers: the request, its lines, and what a line says."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from service.client.answers import Prediction, read_output
from service.client.faults import fault_of, reading
from service.client.sampling import flat_options, given_options
from service.client.steps import Reply, Request
from service.protocol.adaptive import AdaptivePasses
from service.protocol.options import Options
from service.protocol.prediction import Stopped

Array = NDArray[Any]

_NDJSON, _NPZ = "application/x-ndjson", "application/x-npz"


def stream_request(
    path: str, arrays: Mapping[str, Array], options: Options, timeout: float | None
) -> Request:
    """A request whose answer is read line by line.

    Args:
        path: of the route.
        arrays: input name to (B, …) array.
        options: how to sample.
        timeout: deadline in seconds; None: the server's.
    """
    told = {} if timeout is None else {"timeout": timeout}
    if any(x.dtype.kind in "OUS" for x in arrays.values()):
        # NumPy's own files would pad each text to the longest.
        columns = {name: x.tolist() for name, x in arrays.items()}
        given = given_options(options)
        body = json.dumps({"inputs": columns, **given, **told}, default=_plain)
        headers = {"Content-Type": "application/json", "Accept": _NDJSON}
        return Request("POST", path, body.encode(), headers, by_line=True)
    query = urlencode(
        {name: _text(value) for name, value in {**flat_options(options), **told}.items()}
    )
    headers = {"Content-Type": _NPZ, "Accept": _NDJSON}
    return Request("POST", f"{path}?{query}", _npz(arrays), headers, by_line=True)


def _text(value: Any) -> str:
    """A value in a query string."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _npz(arrays: Mapping[str, Array]) -> bytes:
    """An .npz file; `numpy.savez` takes arrays of most names only."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, array, allow_pickle=False)
    return file.getvalue()


def _plain(value: bytes | AdaptivePasses) -> Any:
    return value.decode() if isinstance(value, bytes) else value.as_object()


def read_event(reply: Reply, outputs: Sequence[str], request_id: str) -> Prediction:
    """Read one line of an answer.

    Args:
        reply: whose content is the line.
        outputs: names of the model's outputs.
        request_id: of the request.

    Raises:
        ClientError: that the line tells.
        ServerFaultError: it is not a line of such an answer.
    """
    with reading(reply):
        head: Mapping[str, Any] = json.loads(reply.content)
        status = head.get("status", reply.status)
        fault = fault_of(Reply(int(status), reply.headers, reply.content))
    if fault is not None:
        fault.request_id = request_id
        raise fault
    with reading(reply):
        columns = _columns(head)
        if len(outputs) == 1:
            columns = {outputs[0]: columns}
        found = {output: read_output(_arrays(columns[output])) for output in outputs}
        return Prediction(
            found,
            int(head["passes"]),
            int(head["seed"]),
            str(head["model"]),
            int(head["version"]),
            reply.headers.get("x-request-id", request_id),
            stopped=Stopped.read(head),
            final=bool(head["final"]),
        )


def _columns(head: Mapping[str, Any]) -> Any:
    """What is said of all rows: by quantity, or with several outputs by output and quantity."""
    return head["outputs"] if "outputs" in head else _joined(head["predictions"])


def _joined(rows: Sequence[Any]) -> Any:
    """Objects of all rows as one object of lists."""
    if not isinstance(rows[0], Mapping):
        return rows
    return {name: _joined([row[name] for row in rows]) for name in rows[0]}


def _arrays(quantities: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(values) for name, values in quantities.items()}
