"""Annotations: what people say of a model beside what its file tells.

They are given at export, by `mcdropout annotate`, or in a sidecar file beside a model that cannot
be rewritten. In a file without a manifest they are JSON in its metadata under `METADATA_KEY`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.annotations.fit import misfit
from service.errors import ArtifactError
from service.manifest import DataReference, Link, Manifest, NoiseSpec, Passes, Precision, Task

METADATA_KEY = "mcdropout.annotations"
#: Stands for all outputs in `Annotations.link`.
EVERY_OUTPUT = ""


def _by_output(link: Any) -> Any:
    return {EVERY_OUTPUT: link} if isinstance(link, str) else link


class Annotations(BaseModel):
    """Fields of the manifest that people may set. One that is not given is left as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task = Field(default="other", description="what the outputs mean")
    labels: tuple[str, ...] | None = Field(
        default=None,
        description="a name for each element of an output's last axis; two for a single sigmoid",
    )
    link: Annotated[Mapping[str, Link], BeforeValidator(_by_output)] = Field(
        default={},
        description="what makes probabilities of an output, such as softmax of logits: of every "
        "output, or an object of output name to link",
    )
    noise: NoiseSpec | None = None
    noise_precision: Precision | None = None
    measures: tuple[str, ...] = ()
    passes: Passes = 100
    training_data: DataReference | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are given, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def parse_annotations(text: str | bytes, where: str) -> Annotations:
    """Read annotations from JSON; `where` names the file in errors.

    Raises:
        ArtifactError: they are malformed; naming the field.
    """
    try:
        return Annotations.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{where}: {faulty_field(error)}") from error


def faulty_field(error: ValidationError) -> str:
    """The first field that is malformed, and what would be right."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != EVERY_OUTPUT)
    known = ", ".join(Annotations.model_fields)
    hint = f" The known fields are {known}." if first["type"] == "extra_forbidden" else ""
    return f"{field or 'the text'}: {first['msg']}.{hint}"


def annotated(manifest: Manifest, said: Annotations, where: str) -> Manifest:
    """A manifest with what is said in the place of what it says.

    Args:
        manifest: of a model.
        said: of the same.
        where: names in errors what says it.

    Raises:
        ArtifactError: it does not fit the model; naming the field and what would be right.
    """
    given, links = said.given, said.link
    given.pop("link", None)
    unknown = sorted(set(links) - {EVERY_OUTPUT, *(spec.name for spec in manifest.outputs)})
    if unknown:
        names = [spec.name for spec in manifest.outputs]
        raise ArtifactError(f"{where}: link: there is no output {unknown[0]!r}; there are {names}.")
    given["outputs"] = tuple(
        spec.model_copy(update={"link": links.get(spec.name, links.get(EVERY_OUTPUT, spec.link))})
        for spec in manifest.outputs
    )
    changed = manifest.model_copy(update=given)
    require_fit(changed, where)
    return changed


def of_manifest(manifest: Manifest, fields: Iterable[str]) -> Annotations:
    """What a manifest says in these fields."""
    links = {spec.name: spec.link for spec in manifest.outputs}
    return Annotations(**{n: links if n == "link" else getattr(manifest, n) for n in fields})


def require_fit(manifest: Manifest, where: str) -> None:
    """Check that what a manifest says of its outputs can be.

    Raises:
        ArtifactError: naming the field and what would be right.
    """
    fault = misfit(manifest)
    if fault is not None:
        raise ArtifactError(f"{where}: {fault}")
