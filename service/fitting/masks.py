"""Which masks the rows of a calibration have."""

from collections.abc import Iterator

from service.inference.options import site_of_all_rows
from service.inference.predictor import Predictor
from service.manifest import SiteSpec
from service.protocol.options import Masks, Options


def masks_of(model: Predictor, options: Options) -> Masks:
    """Masks with which rows are like requests with random seeds, if the model allows it.

    Rows that share masks have the luck of one seed in common, and their thresholds fit that seed.
    """
    return "per_row" if _obstacle(model, options) is None else "shared"


def notes_on_masks(model: Predictor, options: Options) -> Iterator[str]:
    """Says what masks that all rows shared mean for the promises."""
    if options.masks == "shared":
        site = _obstacle(model, options)
        why = "" if site is None else f"site {site.name!r} draws once for all rows of a pass, and "
        yield (
            f"{why}the rows shared the masks of seed {options.seed}: coverage and risk are "
            "promised for that seed. With others they differ, the more the fewer the passes."
        )


def _obstacle(model: Predictor, options: Options) -> SiteSpec | None:
    names = None if options.sites is None else frozenset(options.sites)
    return site_of_all_rows(names, model.sampler.plan)
