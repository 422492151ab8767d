"""How much memory an answer takes until the client has read it."""

import numpy as np

from service.inference.jobs import Job, SampleJob
from service.manifest import Manifest

#: Bytes per number of an answer: in arrays, as a Python object, as text.
_NUMBER = 64


def answer_bytes(job: Job, manifest: Manifest, rows_at_a_time: int) -> int:
    """Approximate bytes of a job's rows and answer.

    Args:
        job: of a request.
        manifest: of the model.
        rows_at_a_time: maximum rows that run together.
    """
    each, kept = sum(spec.row_elements for spec in manifest.outputs), 0
    numbers = each
    if isinstance(job, SampleJob):
        measured = sum(measure.elements(job.row_samples) for measure in job.measures)
        numbers = 2 * each + measured  # mean and variance
        kept = _kept_bytes(job, manifest)
        if job.rule is not None:
            kept += min(job.count, rows_at_a_time) * each * job.rule.number_bytes
    return job.count * numbers * _NUMBER + kept + job.row_bytes


def _kept_bytes(job: SampleJob, manifest: Manifest) -> int:
    """Bytes of the samples that a job keeps to its end; a dynamic axis counts as one."""
    if not job.keeps_samples:
        return 0
    sizes = (s.row_elements * np.dtype(s.dtype).itemsize for s in manifest.outputs)
    return job.count * job.row_samples * sum(sizes)
