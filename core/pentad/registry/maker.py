"""Runs that another version of a plugin made: its options are upgraded where the plugin says how, and doubt is said aloud."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

from pentad.registry.chains import BETWEEN
from pentad.registry.offers import Offer
from pentad.system.errors import EngineError, one_line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Maker:
    """What made a stage of a run, and what is installed of it now.

    Args:
        version: the version that made the run.
        offer: the implementation as it is installed.
    """

    version: str
    offer: Offer[Any]

    @property
    def changed(self) -> bool:
        """Whether another version is installed than the one that made the run."""
        return self.version != self.offer.version

    @property
    def install(self) -> str:
        """What to tell pip to have the old version again."""
        parts = zip(self.offer.distribution.split(BETWEEN), self.version.split(BETWEEN), strict=False)
        return " ".join(f"{distribution}=={version}" for distribution, version in parts)

    def __str__(self) -> str:
        """Return `The model gpt was made by pentad-gpt 0.1.0; 0.2.0 is installed`."""
        made = f"The {self.offer.kind} {self.offer.name} was made by {self.offer.distribution} {self.version}"
        return f"{made}; {self.offer.version} is installed"

    def upgraded(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return a run's options as the installed version takes them.

        Raises:
            EngineError: the plugin's own upgrade fails, or returns something else than options by name.
        """
        if not self.changed or not self.offer.record.upgrade:
            return options
        function = self.offer.resolve("upgrade")
        try:
            found = function(dict(options), self.version)
        except Exception as error:
            raise EngineError(
                f"{self}, whose upgrade fails: {one_line(error)}", f"pip install {self.install}", code="upgrade-failed"
            ) from error
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            raise EngineError(
                f"{self}, whose upgrade must return options by name; found {found!r}.",
                f"pip install {self.install}",
                code="upgrade-failed",
            )
        return found

    def warn(self) -> None:
        """Say that another version is installed which does not declare that it opens the runs of this one."""
        if self.changed and not self.offer.record.upgrade:
            warnings.warn(f"{self}, which may work otherwise. To be sure: pip install {self.install}", stacklevel=3)
