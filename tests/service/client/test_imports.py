"""The client needs httpx, NumPy and `service.protocol` only."""

import subprocess
import sys

from scripts.local_server import LocalServer
from tests.conftest import ROOT

#: Packages that httpx and NumPy need.
ALLOWED = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "numpy", "typing_extensions"}

CODE = """
import sys

ALLOWED = {allowed!r} | sys.stdlib_module_names
OWN = (["service", "client"], ["service", "protocol"])


class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        own = name == "service" or name.split(".")[:2] in OWN
        if top not in ALLOWED and not own:
            raise ModuleNotFoundError(f"refused: {{name}}", name=name)


sys.meta_path.insert(0, Refuse())
try:
    import pydantic
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the hook does not work")

import asyncio

from service.client import AsyncClient, Client


async def ask():
    async with AsyncClient({url!r}) as client:
        return await client.predict("co2", [[1985.0]], seed=7)


with Client({url!r}) as client:
    assert client.predict("co2", [[1985.0]], seed=7).mean == asyncio.run(ask()).mean
    client.models()
print("\\n".join(sys.modules))
"""


def test_clients_run_without_the_packages_of_the_server(server: LocalServer) -> None:
    code = CODE.format(allowed=ALLOWED, url=server.url)
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 0, ended.stderr
    loaded = {name for name in ended.stdout.split() if name.startswith("service.")}
    assert "service.client.sync" in loaded
    assert all(name.startswith(("service.client", "service.protocol")) for name in loaded)
