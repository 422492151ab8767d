import json
from pathlib import Path

from service import load_model
from service.calibration.document import parse_calibration
from service.calibration.fit import misfit
from service.graph.beside import model_sha256
from tests.service.calibration.documents import fields
from tests.service.fitting import fitted_models as models


def test_only_sets_that_labels_may_have_fit_a_multilabel_model(tmp_path: Path) -> None:
    path = models.label_model(tmp_path)
    manifest, sha256 = load_model(path).manifest, model_sha256(path)
    model = {"sha256": sha256, "task": manifest.task, "outputs": ["y"]}
    document = parse_calibration(json.dumps(fields(model=model)), "calibration.json")
    assert [one.method for one in document.sets] == ["lac", "aps"]
    wanted = "sets: those of a multilabel_classification are made by lac."
    assert misfit(document, manifest, sha256) == wanted
    lac = document.model_copy(update={"sets": document.sets[:1]})
    assert misfit(lac, manifest, sha256) is None
